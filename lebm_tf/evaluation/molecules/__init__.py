"""Measurements of molecules."""

"""Devices of a run: strategies and clusters."""

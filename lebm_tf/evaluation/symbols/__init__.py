"""Metrics of symbols."""

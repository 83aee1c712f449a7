"""Metrics of trajectory forecasts."""

"""Measurements of forecasts."""

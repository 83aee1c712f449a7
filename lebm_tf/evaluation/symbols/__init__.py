"""Measurements of symbols beside latents."""

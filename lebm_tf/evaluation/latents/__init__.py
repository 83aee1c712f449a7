"""Measurements of latents: chains, codes, marginal likelihood, information."""

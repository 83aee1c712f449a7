"""Metrics of latents: chains, codes, marginal likelihood, information."""

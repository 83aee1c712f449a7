"""Paths of agents, by name or from a user's files."""

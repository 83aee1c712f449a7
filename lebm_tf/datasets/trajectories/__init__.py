"""Paths of agents, by name or from the user's files."""

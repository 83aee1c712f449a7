"""Vectors and word counts, by name or from a user's files."""

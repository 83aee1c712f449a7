"""Vectors and counts of words, by name or from the user's files."""

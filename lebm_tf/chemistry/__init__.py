"""Molecules of strings, and their properties. RDKit is an extra."""

"""Molecules from SMILES, and their properties. RDKit is an optional extra."""

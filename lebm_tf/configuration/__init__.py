"""Configuration: dataclass fields, their flags and help, and flag parsing."""

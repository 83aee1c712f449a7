"""Text and molecules, by name or from a user's files."""

"""Text and molecules, by name or from the user's files."""

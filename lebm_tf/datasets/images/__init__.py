"""Pictures, by name or from the user's files."""

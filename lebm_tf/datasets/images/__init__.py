"""Images, by name or from a user's files."""

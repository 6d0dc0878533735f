"""The server program: flags, settings, start and end."""

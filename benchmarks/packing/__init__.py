"""Speed of reading the requests."""

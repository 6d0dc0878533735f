"""Releases, a damaged one and kill -9 under load."""

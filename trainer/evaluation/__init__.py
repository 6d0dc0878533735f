"""Evaluates a candidate release the way it will be served, and decides whether it may be pushed."""

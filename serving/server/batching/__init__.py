"""Joins concurrent calls of a signature into one run."""

"""Scoring models of a stage, one file per kind."""

"""Time and memory of operators and losses."""

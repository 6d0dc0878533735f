"""A step over several devices or machines."""

"""A release's models for another catalogue, without training."""

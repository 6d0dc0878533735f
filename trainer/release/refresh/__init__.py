"""A release with another catalogue, without training."""

"""Optimisers of the network's weights."""

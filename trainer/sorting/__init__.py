"""Differentiable sorting operators: scores to the soft probability of surviving a top `k`."""

"""Losses as pure functions of scores, masks and ground truth."""

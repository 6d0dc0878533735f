"""Checkpoints that survive a run that is killed."""

"""Training over several devices and workers."""

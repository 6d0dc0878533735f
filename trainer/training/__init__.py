"""The training run: data, loop, checkpoints, replicas."""

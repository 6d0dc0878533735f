"""From transformed examples to the batches of a training run."""

"""The comparison of training methods that `lcron benchmark` runs."""

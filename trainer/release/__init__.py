"""What a training run releases: its models for servers, their refresh, and the weights to start from again."""

"""Time and throughput of a served release beside its models in process."""

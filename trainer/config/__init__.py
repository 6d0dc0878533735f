"""The configuration of a training run and its parts, without TensorFlow; its JSON text and its overrides."""

"""The cascade as one Keras model."""

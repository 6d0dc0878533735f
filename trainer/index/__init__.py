"""Search of the whole catalogue by inner product: exact, by leaves, or by ScaNN."""

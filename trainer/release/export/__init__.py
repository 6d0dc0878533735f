"""A trained cascade as SavedModels for TF Serving."""

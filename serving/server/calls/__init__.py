"""Calls of one SavedModel: Predict, Classify, Regress and MultiInference."""

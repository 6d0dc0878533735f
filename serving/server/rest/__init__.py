"""TF Serving's REST API: JSON over HTTP."""

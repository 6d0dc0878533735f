"""An embedded model server that speaks TF Serving's gRPC API."""

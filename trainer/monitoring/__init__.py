"""What TensorBoard shows of a cascade's training, one file per view."""

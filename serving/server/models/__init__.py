"""Models and their versions: which there are, and how they come and go."""

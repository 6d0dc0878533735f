"""What training a cascade as one network is worth, on a world that is known."""

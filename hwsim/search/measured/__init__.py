"""What was measured of ensembles, and measuring more of them."""

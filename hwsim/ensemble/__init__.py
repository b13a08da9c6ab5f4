"""What a whole network, and an ensemble of copies of it, cost on one chip."""

"""What a user writes: hardware, ensembles and networks, read with every fault at once."""

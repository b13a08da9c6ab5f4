"""What a space is made of: chips, ensembles, and what is known of each design."""

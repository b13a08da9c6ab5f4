"""How robust an ensemble is: attacks counted honestly, and whether what they leave is real."""

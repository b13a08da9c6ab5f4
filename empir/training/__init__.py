"""Training: recipes, defences, checkpoints, and the loop that can be killed at any time."""

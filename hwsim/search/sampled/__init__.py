"""Some designs of a space, suggested by Optuna."""

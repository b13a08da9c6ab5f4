"""What was computed before, on disk."""

"""Designs written down, read again, and summed up."""

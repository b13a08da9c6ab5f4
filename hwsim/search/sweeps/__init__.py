"""Whole spaces on many cores and machines, into a folder that can be gone on with."""

"""Costs as text, JSON, rows and files."""

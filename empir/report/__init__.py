"""Measurements as tables and figures."""

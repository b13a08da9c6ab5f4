"""Designs out of a space: ensembles and the chips that run them, priced all together and judged."""

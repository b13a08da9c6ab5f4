"""Members combined into one decision, and what an attack differentiates in its place."""

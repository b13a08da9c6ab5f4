"""Every ensemble on every chip, by array arithmetic."""

"""The members of an ensemble on one chip, in time and in space."""

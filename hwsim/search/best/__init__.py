"""The best ensembles for a chip: judged by what was measured, and what to measure next."""

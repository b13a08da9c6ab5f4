"""A stream of requests, answered by an ensemble on a chip."""

"""One mapped layer on the chip, tile by tile."""

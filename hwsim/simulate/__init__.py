"""The mapped ensemble, played on the chip event by event."""

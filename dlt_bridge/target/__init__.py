"""The Singer target `target-dlt`."""

"""A dialect."""

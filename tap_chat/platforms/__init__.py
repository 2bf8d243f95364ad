"""The platforms: one module each, with its settings, its streams and its quirks."""

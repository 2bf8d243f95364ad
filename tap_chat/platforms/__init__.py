"""The platforms: a folder each, with its settings, its streams and its quirks."""

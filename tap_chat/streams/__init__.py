"""Streams: pages, windows, parents and children, read ahead by many workers."""

"""Dixa."""

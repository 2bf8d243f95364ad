"""Freshchat."""

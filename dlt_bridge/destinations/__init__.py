"""Destinations of dlt: what they can do, which tables and state they have, and how dlt is used."""

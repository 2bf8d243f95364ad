"""Rows that wait or are held back on their way to dlt."""

"""Runs a tap as a process, and reads its messages, without dlt."""

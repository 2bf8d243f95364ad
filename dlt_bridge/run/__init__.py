"""Runs of a pipeline: checkpoints, locks, recovery, signals, failures and reports."""

"""Runs of a pipeline: checkpoints, recovery, signals and failures."""

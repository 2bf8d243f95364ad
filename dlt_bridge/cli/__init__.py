"""The command `dlt singer`."""

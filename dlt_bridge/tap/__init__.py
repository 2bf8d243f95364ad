"""The tap as a process, and the messages that it writes. No dlt is known here."""

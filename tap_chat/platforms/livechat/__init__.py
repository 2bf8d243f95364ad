"""LiveChat."""

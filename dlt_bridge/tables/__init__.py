"""From the messages of a tap to packages of tables."""

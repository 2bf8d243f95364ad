"""What the bridge knows of a destination: its abilities, tables and names."""

"""Settings: declared as types, read from files and the environment, checked."""

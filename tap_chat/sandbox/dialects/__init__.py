"""The dialects: a folder for each API that the sandbox serves, with the account behind it."""

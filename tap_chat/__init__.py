"""tap-chat: every conversation of your chat platforms, as a Singer tap."""

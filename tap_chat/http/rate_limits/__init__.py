"""Rate limits: what responses say of them, and when the next request may be sent."""

"""The made-up accounts behind the sandbox, one a platform."""

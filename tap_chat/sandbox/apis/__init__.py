"""The APIs that the sandbox speaks, one module a platform."""

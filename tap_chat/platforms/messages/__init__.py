"""The vendor-neutral messages API."""

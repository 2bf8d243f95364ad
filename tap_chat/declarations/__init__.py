"""Declarations of REST APIs, in the format of dlt's `rest_api`: read, checked, normalized."""

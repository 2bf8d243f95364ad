"""Decodes Singer records to Arrow tables, without dlt."""

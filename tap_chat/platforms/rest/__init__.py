"""Any REST API, as a declaration describes it."""

"""Singer records as Arrow tables. No dlt is known here."""

"""The Singer side: records, bookmarks, STATE, catalog, and the private parts of the SDK."""

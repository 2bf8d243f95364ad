"""The names of columns and properties that describe a record and are not part of its data."""

#: The column with the position of a record in the run. The last version of a key has the greatest
#: value.
SEQUENCE = "_sdc_sequence"
#: The column with the version of the table that a record belongs to (ACTIVATE_VERSION).
VERSION = "_sdc_table_version"
#: The property that a tap sets in a record that was deleted at the source.
DELETED = "_sdc_deleted_at"
#: The column with the whole record, as JSON, where the SCHEMA describes too little.
RECORD_COLUMN = "_sdc_record"

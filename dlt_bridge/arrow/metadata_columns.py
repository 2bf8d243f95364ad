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
#: The column with the account that a record belongs to; it is the first part of each key.
ACCOUNT = "_account"
#: The column with the time at which the tap has read the record: its `time_extracted`.
EXTRACTED = "_sdc_extracted_at"
#: The column with the time at which the bridge has read the line of the record.
RECEIVED = "_sdc_received_at"
#: The column with the time at which the batch of the record began.
BATCHED = "_sdc_batched_at"
#: The column with the identifier of the load package; a committed one is in `_dlt_loads`.
LOAD_ID = "_dlt_load_id"
#: The columns with times of a record that are not part of its data.
TIMES = (EXTRACTED, RECEIVED, BATCHED)
#: The descriptions of the columns that each table has.
DESCRIPTIONS = {
    EXTRACTED: "When the tap read the record.",
    RECEIVED: "When the loader read the line of the record.",
    BATCHED: "When the batch of the record began.",
    SEQUENCE: "The position of the record: the last version of a key has the greatest value.",
}

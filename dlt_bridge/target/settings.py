"""The settings of `target-dlt`."""

from __future__ import annotations

from typing import Any

from dlt_bridge.destinations.destination import CHECKPOINT_SECONDS

#: Formats in which dlt writes rows.
FILE_FORMATS = ["parquet", "jsonl", "csv", "insert_values"]
#: Formats of tables that consist of files.
TABLE_FORMATS = ["delta", "iceberg", "hive", "native"]
#: The JSON Schema of `schema_contract`. The SDK has no type for a text or an object.
_MODE = {"enum": ["evolve", "freeze", "discard_row", "discard_value"]}
_PARTS = {"tables": _MODE, "columns": _MODE, "data_type": _MODE}
CONTRACT = {
    "properties": {
        "schema_contract": {
            "anyOf": [
                _MODE,
                {"type": "object", "properties": _PARTS, "additionalProperties": False},
            ]
        }
    }
}


def _setting(
    kind: str,
    title: str,
    description: str,
    **limits: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Return the JSON Schema of an optional setting, in the form of the SDK's `th.Property`.

    Args:
        kind: The JSON type.
        title: A few words, as a label.
        description: One or two sentences.
        limits: Other keywords of JSON Schema.
    """
    return {"type": [kind, "null"], **limits, "title": title, "description": description}


#: The JSON Schema of the settings. It is declared without the SDK, whose import takes longer than a
#: small load.
SETTINGS: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["destination"],
    "additionalProperties": False,
    "properties": {
        "destination": _setting(
            "string",
            "Destination",
            "The name of a dlt destination: `duckdb`, `postgres`, `bigquery`, `snowflake`,"
            " `filesystem`, ...",
            examples=["duckdb"],
            type=["string"],
        ),
        "dataset_name": _setting(
            "string",
            "Dataset",
            "The dataset to load into, which most databases call a schema; by default"
            " `<pipeline_name>_dataset`.",
        ),
        "default_target_schema": _setting(
            "string",
            "Default target schema",
            "The SDK's name for `dataset_name`.",
        ),
        "credentials": _setting(
            "string",
            "Credentials",
            "The credentials, in a form that dlt accepts: the path of a DuckDB file, the"
            " URL of a database, the URL of a bucket or folder (for `filesystem`), or an object."
            " Unset, dlt looks them up in its own configuration.",
            secret=True,
            writeOnly=True,
        ),
        "destination_options": _setting(
            "object",
            "Destination options",
            'Other arguments of the destination, such as `{"location": "EU"}` for BigQuery.',
            properties={},
            additionalProperties=True,
        ),
        "pipeline_name": _setting(
            "string",
            "Pipeline",
            "The name under which dlt keeps schema and state in the destination. Taps that"
            " load into the same dataset need different names. dlt stores `tap-chat` as"
            " `tap_chat`.",
            minLength=1,
            default="target_dlt",
        ),
        "account": _setting(
            "string",
            "Account",
            "The account that the tap reads: any text. Each row has it in the column"
            " `_account`, the first part of each key, so that accounts share tables. Unless you"
            " set another, the name of the pipeline then ends with the account, and the dataset is"
            " `target_dlt_dataset`.",
            minLength=1,
        ),
        "pipelines_dir": _setting(
            "string",
            "Pipelines folder",
            "The folder for the pipeline's working files; by default a private folder that"
            " is removed at the end.",
        ),
        "checkpoint_every": _setting(
            "integer",
            "Checkpoint every",
            "The tap's first STATE after this many seconds commits everything before it,"
            " and is then written to standard output. 0 commits at each STATE.",
            minimum=0,
            default=round(CHECKPOINT_SECONDS),
        ),
        "batch_size_rows": _setting(
            "integer",
            "Batch size in rows",
            "The tap's first STATE after this many rows commits everything before it, even if"
            " `checkpoint_every` has not passed.",
            minimum=1,
        ),
        "nested": _setting(
            "string",
            "Nested",
            "How to load objects and arrays: as JSON columns, as native structs and lists"
            " where the destination has them, or as child tables.",
            enum=["json", "native", "tables"],
            default="json",
        ),
        "hard_delete": _setting(
            "boolean",
            "Hard delete",
            "Whether to delete rows with `_sdc_deleted_at`, and rows of older versions"
            " after an ACTIVATE_VERSION: `true` deletes both, `false` keeps both. Unset, rows with"
            " `_sdc_deleted_at` stay, and rows of older versions are deleted.",
        ),
        "absent": _setting(
            "string",
            "Absent properties",
            "How to load properties that a record lacks, in streams with a key: `null` sets"
            " them to null, and `keep` keeps the value of the stored row. Use `keep` for taps that"
            " read a log of changes and send only changed properties. A record with"
            " `_sdc_deleted_at` leaves the values of its row as they are, unless `hard_delete` is"
            " true.",
            enum=["null", "keep"],
            default="null",
        ),
        "naming": _setting(
            "string",
            "Naming",
            "The naming convention of tables and columns: one of dlt's (`snake_case`,"
            " `duck_case`, `direct`, `sql_cs_v1`, `sql_ci_v1`), or a module. By default, a pipeline"
            " keeps its convention, and a new one uses `dlt_bridge.naming`: snake_case, with the"
            " letters of all alphabets.",
            minLength=1,
        ),
        "on_name_collision": _setting(
            "string",
            "On name collision",
            "What to do if streams, or properties of a stream, have the same name in the"
            " destination: load nothing (`refuse`), or give all but the first a permanent suffix.",
            enum=["refuse", "suffix"],
            default="refuse",
        ),
        "on_bad_stream": _setting(
            "string",
            "On a bad stream",
            "What to do if a stream has data that can't be loaded. `fail` ends the run."
            " `skip` skips the rest of the stream, leaves its bookmark out of the STATE, loads the"
            " other streams, and exits with 1.",
            enum=["fail", "skip"],
            default="fail",
        ),
        "add_record_metadata": _setting(
            "boolean",
            "Add record metadata",
            "Whether each row has the times at which its record was read (`_sdc_extracted_at`,"
            " `_sdc_received_at`, `_sdc_batched_at`), and the load id of its package"
            " (`_dlt_load_id`). Rows without a key always have the load id.",
            default=True,
        ),
        "write_disposition": _setting(
            "string",
            "Write disposition",
            "`append` adds a row for every version of a record; `merge` keeps the last"
            " version of each key. By default, streams with a key are merged, and others appended.",
            enum=["append", "merge"],
        ),
        "load_method": _setting(
            "string",
            "Load method",
            "The SDK's name for `write_disposition`: `append-only` is `append`, and `upsert` the"
            " default. `overwrite` is not supported, as a target does not know whether the tap"
            " sends all rows: use `refresh`.",
            enum=["append-only", "upsert", "overwrite"],
        ),
        "table_format": _setting(
            "string",
            "Table format",
            "The table format of `filesystem`: `delta` for Delta tables.",
            enum=TABLE_FORMATS,
        ),
        "loader_file_format": _setting(
            "string",
            "File format",
            "The format of the files that dlt loads, if the destination supports several;"
            " by default the fastest. With `filesystem`, the files stay in this format.",
            enum=FILE_FORMATS,
        ),
        "schema_contract": _setting(
            "string",
            "Schema contract",
            'A schema contract of dlt: `freeze`, or an object such as `{"data_type": "freeze"}`.',
        ),
        "validate_records": _setting(
            "boolean",
            "Validate records",
            '`true` is short for the schema contract `{"data_type": "freeze"}`: a value that'
            " does not fit its column ends the run. Otherwise, such values get a column of their"
            " own.",
        ),
        "refresh": _setting(
            "array",
            "Refresh",
            'Streams whose tables are dropped and created again, such as `["orders"]`.'
            " This happens once for each stream, even if it stays in the list. The tap must send"
            " all rows in that run (Meltano: `--full-refresh`).",
            items={"type": ["string"]},
        ),
        "batch_folders": _setting(
            "array",
            "Folders of BATCH files",
            "Folders and URLs (`s3://bucket/folder`) in which BATCH messages may name"
            " files, in addition to the working folder and the temporary folder.",
            items={"type": ["string"]},
        ),
    },
}

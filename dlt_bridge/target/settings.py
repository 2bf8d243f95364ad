"""The settings of `target-dlt`."""

from __future__ import annotations

from singer_sdk import typing as th

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

SETTINGS = th.PropertiesList(
    th.Property(
        "destination",
        th.StringType,
        required=True,
        title="Destination",
        description="The name of a dlt destination: `duckdb`, `postgres`, `bigquery`, `snowflake`,"
        " `filesystem`, ...",
        examples=["duckdb"],
    ),
    th.Property(
        "dataset_name",
        th.StringType,
        title="Dataset",
        description="The dataset to load into, which most databases call a schema; by default"
        " `<pipeline_name>_dataset`.",
    ),
    th.Property(
        "credentials",
        th.StringType,
        secret=True,
        title="Credentials",
        description="The credentials, in a form that dlt accepts: the path of a DuckDB file, the"
        " URL of a database, the URL of a bucket or folder (for `filesystem`), or an object. Unset,"
        " dlt looks them up in its own configuration.",
    ),
    th.Property(
        "destination_options",
        th.ObjectType(additional_properties=True),
        title="Destination options",
        description='Other arguments of the destination, such as `{"location": "EU"}` for'
        " BigQuery.",
    ),
    th.Property(
        "pipeline_name",
        th.StringType(min_length=1),
        default="target_dlt",
        title="Pipeline",
        description="The name under which dlt keeps schema and state in the destination. Taps that"
        " load into the same dataset need different names. dlt stores `tap-chat` as `tap_chat`.",
    ),
    th.Property(
        "pipelines_dir",
        th.StringType,
        title="Pipelines folder",
        description="The folder for the pipeline's working files; by default a private folder that"
        " is removed at the end.",
    ),
    th.Property(
        "checkpoint_every",
        th.IntegerType(minimum=0),
        default=round(CHECKPOINT_SECONDS),
        title="Checkpoint every",
        description="The tap's first STATE after this many seconds commits everything before it,"
        " and is then written to standard output. 0 commits at each STATE.",
    ),
    th.Property(
        "nested",
        th.StringType(allowed_values=["json", "native", "tables"]),
        default="json",
        title="Nested",
        description="How to load objects and arrays: as JSON columns, as native structs and lists"
        " where the destination has them, or as child tables.",
    ),
    th.Property(
        "hard_delete",
        th.BooleanType,
        title="Hard delete",
        description="Whether to delete rows with `_sdc_deleted_at`, and rows of older versions"
        " after an ACTIVATE_VERSION: `true` deletes both, `false` keeps both. Unset, rows with"
        " `_sdc_deleted_at` stay, and rows of older versions are deleted.",
    ),
    th.Property(
        "absent",
        th.StringType(allowed_values=["null", "keep"]),
        default="null",
        title="Absent properties",
        description="How to load properties that a record lacks, in streams with a key: `null` sets"
        " them to null, and `keep` keeps the value of the stored row. Use `keep` for taps that read"
        " a log of changes and send only changed properties. A record with `_sdc_deleted_at`"
        " leaves the values of its row as they are, unless `hard_delete` is true.",
    ),
    th.Property(
        "naming",
        th.StringType(min_length=1),
        title="Naming",
        description="The naming convention of tables and columns: one of dlt's (`snake_case`,"
        " `duck_case`, `direct`, `sql_cs_v1`, `sql_ci_v1`), or a module. By default, a pipeline"
        " keeps its convention, and a new one uses `dlt_bridge.naming`: snake_case, with the"
        " letters of all alphabets.",
    ),
    th.Property(
        "on_name_collision",
        th.StringType(allowed_values=["refuse", "suffix"]),
        default="refuse",
        title="On name collision",
        description="What to do if streams, or properties of a stream, have the same name in the"
        " destination: load nothing (`refuse`), or give all but the first a permanent suffix.",
    ),
    th.Property(
        "on_bad_stream",
        th.StringType(allowed_values=["fail", "skip"]),
        default="fail",
        title="On a bad stream",
        description="What to do if a stream has data that can't be loaded. `fail` ends the run."
        " `skip` skips the rest of the stream, leaves its bookmark out of the STATE, loads the"
        " other streams, and exits with 1.",
    ),
    th.Property(
        "write_disposition",
        th.StringType(allowed_values=["append", "merge"]),
        title="Write disposition",
        description="`append` adds a row for every version of a record; `merge` keeps the last"
        " version of each key. By default, streams with a key are merged, and others appended.",
    ),
    th.Property(
        "table_format",
        th.StringType(allowed_values=TABLE_FORMATS),
        title="Table format",
        description="The table format of `filesystem`: `delta` for Delta tables.",
    ),
    th.Property(
        "loader_file_format",
        th.StringType(allowed_values=FILE_FORMATS),
        title="File format",
        description="The format of the files that dlt loads, if the destination supports several;"
        " by default the fastest. With `filesystem`, the files stay in this format.",
    ),
    th.Property(
        "schema_contract",
        th.StringType,
        title="Schema contract",
        description='A schema contract of dlt: `freeze`, or an object such as `{"data_type":'
        ' "freeze"}`.',
    ),
    th.Property(
        "refresh",
        th.ArrayType(th.StringType),
        title="Refresh",
        description='Streams whose tables are dropped and created again, such as `["orders"]`.'
        " This happens once for each stream, even if it stays in the list. The tap must send all"
        " rows in that run (Meltano: `--full-refresh`).",
    ),
    th.Property(
        "batch_folders",
        th.ArrayType(th.StringType),
        title="Folders of BATCH files",
        description="Folders and URLs (`s3://bucket/folder`) in which BATCH messages may name"
        " files, in addition to the working folder and the temporary folder.",
    ),
    additional_properties=False,
)

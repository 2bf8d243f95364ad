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
        description="The path of a DuckDB file, the URL of a database, the URL of a bucket or"
        " folder for `filesystem`, or an object, as dlt takes them. Unset, dlt looks them up in"
        " its own configuration.",
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
        description="The name under which dlt keeps schema and state in the destination. Give each"
        " tap that loads into one dataset its own. `tap-chat` is `tap_chat` there.",
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
        description="Seconds after which the tap's next STATE commits everything before it, and is"
        " written to standard output; 0 commits at each STATE.",
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
        " after an ACTIVATE_VERSION. Unset, the former stay and the latter are deleted; with"
        " `false` both stay.",
    ),
    th.Property(
        "absent",
        th.StringType(allowed_values=["null", "keep"]),
        default="null",
        title="Absent properties",
        description="How to load properties that a record lacks, in streams with a key: as `null`,"
        " or with the value that the row has (`keep`). Taps that read a log of changes need `keep`"
        " if they leave out what did not change. A record with `_sdc_deleted_at` leaves the values"
        " of its row as they are, unless `hard_delete` is true.",
    ),
    th.Property(
        "naming",
        th.StringType(min_length=1),
        title="Naming",
        description="The naming convention of tables and columns: one of dlt's (`snake_case`,"
        " `duck_case`, `direct`, `sql_cs_v1`, `sql_ci_v1`), or a module. By default the one that"
        " the pipeline has, and for a new pipeline `dlt_bridge.naming`: snake_case, with the"
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
        description="What to do if a stream has something that can't be loaded: end the run"
        " (`fail`), or skip the rest of the stream, leave its bookmark out of the STATE, and exit"
        " with 1 at the end.",
    ),
    th.Property(
        "write_disposition",
        th.StringType(allowed_values=["append", "merge"]),
        title="Write disposition",
        description="`append` adds a row for every version of a record. By default, streams with a"
        " key are merged, and others appended.",
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
        description="The format of the files to load, if the destination takes several; by default"
        " the fastest. With `filesystem`, the format of the files that stay there.",
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
        description='Streams whose tables are dropped and created again, such as `["orders"]`:'
        " once for each stream, however long it stays in the list. Let the tap send everything in"
        " that run (Meltano: `--full-refresh`).",
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

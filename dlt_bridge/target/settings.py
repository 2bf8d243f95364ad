"""The settings of `target-dlt`."""

from __future__ import annotations

from singer_sdk import typing as th

from dlt_bridge.destinations.destination import CHECKPOINT_SECONDS

#: Those that dlt writes of rows.
FILE_FORMATS = ["parquet", "jsonl", "csv", "insert_values"]
#: Those that dlt makes of files.
TABLE_FORMATS = ["delta", "iceberg", "hive", "native"]
#: What `schema_contract` is, which the SDK can't take as either.
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
        description="As dlt takes them: the path of a DuckDB file, the URL of a database, the URL"
        " of a bucket or folder for `filesystem`, or an object. Unset, dlt looks them up in its own"
        " configuration.",
    ),
    th.Property(
        "destination_options",
        th.ObjectType(additional_properties=True),
        title="Destination options",
        description='What the destination takes besides, such as `{"location": "EU"}` of BigQuery.',
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
        description="Where the pipeline keeps its working files; by default a private folder that"
        " is removed in the end.",
    ),
    th.Property(
        "checkpoint_every",
        th.IntegerType(minimum=0),
        default=round(CHECKPOINT_SECONDS),
        title="Checkpoint every",
        description="Seconds after which the tap's next STATE commits what came before it, and is"
        " passed on; 0 for each STATE.",
    ),
    th.Property(
        "nested",
        th.StringType(allowed_values=["json", "native", "tables"]),
        default="json",
        title="Nested",
        description="What becomes of objects and arrays: JSON columns, native structs and lists"
        " where the destination has them, or child tables.",
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
        description="What a property is that a record lacks, in streams with a key: `null`, or what"
        " its row has (`keep`), as taps need that read a log of changes and leave out what did not"
        " change. A record with `_sdc_deleted_at` leaves the values of its row as they are, unless"
        " `hard_delete` is true.",
    ),
    th.Property(
        "naming",
        th.StringType(min_length=1),
        title="Naming",
        description="The naming convention of tables and columns: one of dlt's (`snake_case`,"
        " `duck_case`, `direct`, `sql_cs_v1`, `sql_ci_v1`), or a module. By default that with which"
        " the pipeline began, or else `dlt_bridge.naming`: snake_case, with the letters of all"
        " alphabets.",
    ),
    th.Property(
        "on_name_collision",
        th.StringType(allowed_values=["refuse", "suffix"]),
        default="refuse",
        title="On name collision",
        description="What becomes of streams, or properties of a stream, that would have one name"
        " in the destination: nothing is loaded, or all but the first have a suffix, which they"
        " keep.",
    ),
    th.Property(
        "on_bad_stream",
        th.StringType(allowed_values=["fail", "skip"]),
        default="fail",
        title="On a bad stream",
        description="What becomes of a stream with something that can't be loaded: it ends the run,"
        " or the rest of it is skipped, its bookmark is left out of the STATE, and the exit code is"
        " 1 in the end.",
    ),
    th.Property(
        "write_disposition",
        th.StringType(allowed_values=["append", "merge"]),
        title="Write disposition",
        description="`append` takes every version of a record as a row. By default streams with a"
        " key are merged, and others appended.",
    ),
    th.Property(
        "table_format",
        th.StringType(allowed_values=TABLE_FORMATS),
        title="Table format",
        description="Of `filesystem`: `delta` for Delta tables.",
    ),
    th.Property(
        "loader_file_format",
        th.StringType(allowed_values=FILE_FORMATS),
        title="File format",
        description="Of the files that the destination is given, if it takes several; by default"
        " the fastest. Of `filesystem`, those that stay.",
    ),
    th.Property(
        "schema_contract",
        th.StringType,
        title="Schema contract",
        description='As dlt takes it: `freeze`, or an object such as `{"data_type": "freeze"}`.',
    ),
    th.Property(
        "refresh",
        th.ArrayType(th.StringType),
        title="Refresh",
        description='Streams whose tables are dropped and made anew, such as `["orders"]`: once for'
        " each stream, however long it stays in the list. Let the tap send everything in that run"
        " (Meltano: `--full-refresh`).",
    ),
    th.Property(
        "batch_places",
        th.ArrayType(th.StringType),
        title="Places of BATCH files",
        description="Folders and addresses (`s3://bucket/folder`) that BATCH messages may name"
        " files in, besides the working folder and the one for temporary files.",
    ),
    additional_properties=False,
)

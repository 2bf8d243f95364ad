"""The SDK's own suite for targets, over target-dlt; and what is in the tables afterwards.

The suite says only that nothing failed, so its files are loaded once more here and looked at.
"""

from __future__ import annotations

import json
import re
from typing import IO, TYPE_CHECKING, Any

import dlt
import pytest
from bridge.destinations import DATASET, SQL, DuckDB, Postgres, Warehouse
from bridge.target_streams import ARRAYS, CONTROL, EXPECTED, OBJECTS, STRINGS, Loaded, lines_of
from dlt.pipeline.exceptions import PipelineStepFailed
from singer_sdk.exceptions import MissingKeyPropertiesError, RecordsWithoutSchemaException
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.runners import TargetTestRunner

from dlt_bridge import MessageError, load, singer
from dlt_bridge.target.plugin import Plugin
from dlt_bridge.target.target import TargetDlt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

sql = pytest.mark.parametrize("warehouse", SQL, indirect=True)


class SuiteTarget(TargetDlt, Plugin):
    """target-dlt as the SDK's suite drives a target, with the SDK's errors."""

    def process_lines(self, file_input: IO[str]) -> None:
        try:
            with file_input:
                self.load(file_input)
        except PipelineStepFailed as failed:
            raise sdk_error(message_error(failed)) from failed

    def process_endofpipe(self) -> None:
        """Do nothing: all is loaded."""


def pipeline(folder: Path, warehouse: Warehouse) -> dlt.Pipeline:
    return dlt.pipeline(
        "target",
        pipelines_dir=str(folder),
        destination=warehouse.destination(),
        dataset_name=DATASET,
    )


def message_error(error: BaseException) -> MessageError:
    """Return what the bridge said, of what dlt made of it."""
    while not isinstance(error, MessageError):
        assert error.__context__ is not None, error
        error = error.__context__
    return error


def sdk_error(error: MessageError) -> Exception:
    """Return the SDK's error of the same kind, where there is one."""
    if "comes before a SCHEMA" in str(error):
        return RecordsWithoutSchemaException(str(error))
    if re.search("lacks the property `id`", str(error)):
        return MissingKeyPropertiesError(str(error))
    return error


@sql
class TestTarget(get_target_test_class(SuiteTarget)):  # type: ignore[misc]
    @pytest.fixture
    def runner(self, tmp_path: Path, warehouse: Warehouse) -> TargetTestRunner:
        place = (
            {"destination": "postgres", "credentials": warehouse.url}
            if isinstance(warehouse, Postgres)
            else {"destination": "duckdb", "credentials": str(tmp_path / "w.duckdb")}
        )
        return TargetTestRunner(
            SuiteTarget,  # type: ignore[arg-type]
            config={**place, "dataset_name": DATASET},
        )


def as_sdk_taps_write(lines: list[str]) -> list[str]:
    """Return the lines with a SCHEMA before each RECORD, as streams with parents have them."""
    schemas: dict[str, str] = {}
    written = []
    for line in lines:
        message = json.loads(line)
        if message["type"] == "SCHEMA":
            schemas[message["stream"]] = line
        elif message["type"] == "RECORD":
            written.append(schemas[message["stream"]])
        written.append(line)
    return written


def assert_holds(warehouse: Warehouse, loaded: Loaded) -> None:
    for table, (columns, rows) in loaded.tables.items():
        assert warehouse.columns(table) == set(columns)
        assert with_json(warehouse.read(table, *columns), rows) == rows


@sql
@pytest.mark.parametrize("loaded", EXPECTED, ids=lambda loaded: loaded.id)
def test_tables_have_the_rows_of_the_files(
    tmp_path: Path, warehouse: Warehouse, loaded: Loaded
) -> None:
    for file in loaded.files:
        pipeline(tmp_path, warehouse).run(singer(lines_of(file)))
    assert_holds(warehouse, loaded)


@pytest.mark.parametrize("loaded", EXPECTED, ids=lambda loaded: loaded.id)
def test_schemas_may_be_repeated_before_each_record(tmp_path: Path, loaded: Loaded) -> None:
    warehouse = DuckDB(tmp_path)
    for file in loaded.files:
        pipeline(tmp_path, warehouse).run(singer(as_sdk_taps_write(lines_of(file))))
    assert_holds(warehouse, loaded)


def with_json(
    found: Iterable[tuple[Any, ...]], expected: Iterable[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    """Return rows with objects and arrays where those are expected."""
    nested = {
        place
        for row in expected
        for place, value in enumerate(row)
        if isinstance(value, (dict, list))
    }
    return [
        tuple(
            json.loads(value) if place in nested and value is not None else value
            for place, value in enumerate(row)
        )
        for row in found
    ]


@sql
def test_texts_arrive_whatever_is_in_them(tmp_path: Path, warehouse: Warehouse) -> None:
    """PostgreSQL has no NUL, so the JSON text of such a value is kept in a variant."""
    pipeline(tmp_path, warehouse).run(singer(lines_of("encoded_string_data")))
    control_object = {"name": "Control Characters in string", "value": "\0 A \1"}
    every: dict[str, tuple[str, list[Any]]] = {
        "test_strings": ("info", [*STRINGS, CONTROL]),
        "test_strings_in_objects": ("info", [*OBJECTS, control_object]),
        "test_strings_in_arrays": ("strings", [*ARRAYS, ["bbb", CONTROL]]),
    }
    for table, (column, values) in every.items():
        expected = list(enumerate(values, start=1))
        if isinstance(warehouse, Postgres):
            variant = f"{column}__v_binary"
            assert warehouse.columns(table) == {"id", column, variant}
            found = warehouse.read(table, "id", column, variant)
            *_, (_, nothing, aside) = found
            assert (nothing, json.loads(aside)) == (None, values[-1])
            assert with_json([row[:2] for row in found[:-1]], expected) == expected[:-1]
        else:
            assert warehouse.columns(table) == {"id", column}
            assert with_json(warehouse.read(table, "id", column), expected) == expected


@sql
@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("invalid_schema", "test_invalid_schema: the SCHEMA has no property"),
        ("record_before_schema", "test_record_before_schema: line 1 comes before a SCHEMA"),
        (
            "record_missing_key_property",
            "test_record_missing_key_property: the record in line 2 lacks the property `id`",
        ),
        (
            "record_missing_required_property",
            "test_record_missing_required_property: the record in line 2 lacks the property `id`",
        ),
    ],
)
def test_refused_file_names_stream_and_line_and_loads_nothing(
    tmp_path: Path, warehouse: Warehouse, file: str, sentence: str
) -> None:
    refusing = pipeline(tmp_path, warehouse)
    with pytest.raises(PipelineStepFailed) as failed:
        refusing.run(singer(lines_of(file)))
    assert sentence in str(message_error(failed.value))
    assert not refusing.has_pending_data
    assert not refusing.schemas


@pytest.mark.parametrize("states", [1, 3, 5])
def test_state_is_that_of_the_last_rows(tmp_path: Path, states: int) -> None:
    """A stream that breaks off: what was before the last STATE is there, and nothing else."""
    lines = lines_of("multiple_state_messages")
    last = [number for number, line in enumerate(lines) if '"STATE"' in line][states - 1]

    def broken() -> Iterator[str]:
        yield from lines[: last + 2]
        raise ConnectionError("the tap is gone")

    warehouse = DuckDB(tmp_path)
    broken_off = pipeline(tmp_path, warehouse)
    with pytest.raises(PipelineStepFailed, match="the tap is gone"):
        load(broken_off, singer(broken()), checkpoint_every=0)
    before = [json.loads(line) for line in lines[:last]]
    for stream in ("test_multiple_state_messages_a", "test_multiple_state_messages_b"):
        records = [
            line["record"] for line in before if line.get("record") and line["stream"] == stream
        ]
        found = warehouse.read(stream, "id", "metric")
        assert found == [(record["id"], record["metric"]) for record in records]
    broken_off.sync_destination()
    kept = broken_off.state["sources"]["singer"]["singer"]
    assert kept == json.loads(lines[last])["value"]

"""Every value is in the database as it was, after the whole way: compared with plain Python."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest
from bridge import exact
from bridge.destinations import TIMES
from bridge.exact_places import wrong
from bridge.spaces import ANYTHING, NAMES, Stream, decimals, moderate, streams
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dlt_bridge import singer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

READ = {
    "TIMESTAMP WITH TIME ZONE": "epoch_us({})",
    "DATE": "{} - date '1970-01-01'",
    "TIME": "epoch_us({})",
    "JSON": "{}::varchar",
}
TYPES = {
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "text": "VARCHAR",
    "json": "JSON",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "time": "TIME",
    "binary": "BLOB",
}
# How a tap may write a RECORD; most lines of a tap are alike.
USUAL = '{"type": "RECORD", "stream": "a", "record": {}}'
LINES = [
    *([USUAL] * 5),
    '{"type":"RECORD","stream":"a","record":{},"time_extracted":"2026-01-01T00:00:00Z"}',
    '{"record" : {}, "stream": "a", "type": "RECORD"}',
    '{"stream":"a","type":"RECORD","time_extracted":"2026-01-01T00:00:00Z","record":{}}\r\n',
    ' {"type":"RECORD", "version": null, "stream":"a", "record": {} } ',
]
ROWS = 100
MISSING = 0.1
BRIDGE = {"_sdc_sequence", "_dlt_load_id", "_dlt_id", *TIMES}


@dataclass(frozen=True)
class Part:
    """Lines under one SCHEMA."""

    stream: Stream = field(repr=False)
    lines: list[bytes] = field(repr=False)

    @property
    def all_lines(self) -> list[bytes]:
        message = {
            "type": "SCHEMA",
            "stream": "a",
            "schema": self.stream.schema,
            "key_properties": self.stream.keys,
        }
        return [json.dumps(message).encode(), *self.lines]


def distinct(names: list[str]) -> list[str]:
    """Return the names that are different ones for the destination, too."""
    normalize = dlt.Schema("any").naming.normalize_path
    return list({normalize(name): name for name in names}.values())


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    """Draw lines under three SCHEMAs of one stream; the third is of another run."""
    names = st.sampled_from(distinct(NAMES))
    random = Random(draw(st.integers(0, 2**32)))
    made: list[Part] = []
    narrow: frozenset[str] = frozenset()
    for _ in range(3):
        stream = draw(streams(names=names, least=14, most=16, keyed=not made))
        if made:
            stream = with_keys(stream, made[0].stream)
        narrow |= decimals(stream)
        texts = {name: draw(pools(stream, name, name in narrow)) for name in stream.values}
        made.append(Part(stream, [line(stream, texts, random) for _ in range(ROWS)]))
    return made


def with_keys(stream: Stream, first: Stream) -> Stream:
    """Return a stream with the keys of another, and else its own properties."""
    properties = {name: first.schema["properties"][name] for name in first.keys}
    schema = {**stream.schema, "properties": properties | stream.schema["properties"]}
    values = {name: first.values[name] for name in first.keys}
    return Stream(schema, first.keys, {**stream.values, **values})


@st.composite
def pools(draw: st.DrawFn, stream: Stream, name: str, narrow: bool) -> list[str]:  # noqa: FBT001
    """Draw the values of a property, which come again and again in its records."""
    values = stream.values[name]
    if name in stream.keys:
        return draw(st.lists(values, min_size=1, max_size=4))
    found = [
        *draw(st.lists(values, min_size=6, max_size=10)),
        *draw(st.lists(ANYTHING, max_size=3)),
        "null",
    ]
    return [text for text in found if not narrow or moderate(text)]


def line(stream: Stream, texts: Mapping[str, Sequence[str]], random: Random) -> bytes:
    """Return a RECORD line."""
    needed = {*stream.schema.get("required", ()), *stream.keys}
    members = [
        f"{json.dumps(name)}: {random.choice(those)}"
        for name, those in texts.items()
        if name in needed or random.random() > MISSING
    ]
    random.shuffle(members)
    return random.choice(LINES).replace("{}", f"{{{', '.join(members)}}}").encode()


def stored(database: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return the types of the columns of the table, and its rows in the order of their lines."""
    with duckdb.connect(str(database), read_only=True) as connection:
        described = connection.execute("describe data.a").fetchall()
        types = {name: kind for name, kind, *_ in described}
        escaped = {name: '"' + name.replace('"', '""') + '"' for name in types}
        chosen = [READ.get(types[name], "{}").replace("{}", escaped[name]) for name in types]
        query = f"select {', '.join(chosen)} from data.a order by _sdc_sequence"
        rows = connection.execute(query).fetchall()
    return types, [dict(zip(types, row, strict=True)) for row in rows]


def last_versions(made: list[Part]) -> list[tuple[Part, dict[str, exact.Value]]]:
    """Return the records that must be there, in the order of their lines."""
    found: dict[Any, tuple[Part, dict[str, exact.Value]]] = {}
    number = 0
    for part in made:
        types = exact.types(part.stream.schema, part.stream.keys)
        for line in part.lines:
            number += 1
            values = exact.record(line)
            key: Any = tuple(
                exact.held(types[name], values[name]).stored  # type: ignore[arg-type]
                for name in part.stream.keys
            )
            found.pop(key or number, None)
            found[key or number] = part, values
    return list(found.values())


# Hypothesis writes the example before it tells how the test failed.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@settings(
    deadline=None,
    derandomize=True,
    max_examples=3,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(parts())
def test_every_value_is_in_the_database(made: list[Part]) -> None:
    first, second, third = made
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "w.duckdb"
        pipeline = dlt.pipeline(
            "exact",
            pipelines_dir=folder,
            destination=dlt.destinations.duckdb(str(database)),
            dataset_name="data",
        )
        pipeline.run(singer([*first.all_lines, *second.all_lines], select=["a"]))
        pipeline.run(singer(third.all_lines, select=["a"]))
        types, rows = stored(database)
        normalize = pipeline.default_schema.naming.normalize_path
    # The first type of a property stays that of its column.
    kinds: dict[str, exact.Type | None] = {}
    kinds_of: dict[int, dict[str, exact.Type | None]] = {}
    for part in made:
        for name, kind in exact.types(part.stream.schema, first.stream.keys).items():
            there = type_of(types.get(normalize(name)))
            if kinds.get(name) is None:
                kinds[name] = there if there and chosen(kind, there, part, name) else kind
        kinds_of[id(part)] = dict(kinds)
    columns = {
        normalize(f"{name}__v_{data_type}" if data_type else name): (name, data_type)
        for name in kinds
        for data_type in ("", *TYPES, "decimal")
    }
    assert not types.keys() - BRIDGE - columns.keys(), types.keys() - BRIDGE - columns.keys()
    for name, kind in kinds.items():
        column = types.get(normalize(name))
        assert type_of(column) == kind, (name, kind, column)
    expected = last_versions(made)
    assert len(rows) == len(expected), (len(rows), len(expected))
    problems = [
        problem
        for (part, values), row in zip(expected, rows, strict=True)
        for problem in compared(
            part,
            values,
            {name: kinds_of[id(part)].get(name) for name in kinds},
            {columns[column]: value for column, value in row.items() if column not in BRIDGE},
        )
    ]
    assert not problems, problems[:5]


def type_of(column: str | None) -> exact.Type | None:
    """Return the type that a column of DuckDB stands for."""
    if column and (scale := re.fullmatch(r"DECIMAL\(38,(\d+)\)", column)):
        return exact.Type("decimal", int(scale.group(1)))
    return {kind: exact.Type(name) for name, kind in TYPES.items()}.get(column or "")


def chosen(declared: exact.Type | None, other: exact.Type, part: Part, name: str) -> bool:
    """Return whether a column may be of another type, by its values in the first lines."""
    found = [values[name] for line in part.lines if name in (values := exact.record(line))]
    return declared != other and exact.may_be_chosen(declared, other, found)


def compared(
    part: Part,
    values: Mapping[str, exact.Value],
    kinds: Mapping[str, exact.Type | None],
    row: Mapping[tuple[str, str], Any],
) -> Iterator[str]:
    natural = exact.types(part.stream.schema, part.stream.keys)
    for name, kind in kinds.items():
        found = {place: value for (column, place), value in row.items() if column == name}
        value = values.get(name) if name in natural else None
        # DuckDB compresses equal doubles in a row, so that one of 0.0 and -0.0 becomes the other.
        problem = wrong(kind, natural.get(name), value, found, signed_zero=False)
        if problem:
            yield f"`{name}` {part.stream.schema['properties'].get(name)}: {problem}"

"""The tables of the documentation are correct."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, get_args

import dlt
import pytest
from markdown_it import MarkdownIt
from pages.blocks import ROOT
from postgres import postgres_server

from dlt_bridge import singer
from tap_chat.platforms.registry import BUILT_IN, SHIPPED
from tap_chat.sandbox import dialect, faults, limits
from tap_chat.sandbox.cli import main as sandbox_command
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_chat.platforms.platform import Platform

BENCHMARKS = ROOT / "benchmarks"


def rows(page: Path) -> Iterator[list[str]]:
    """Yield the cells of each row of the tables of a page."""
    cells: list[str] = []
    inside = False
    for token in MarkdownIt().enable("table").parse(page.read_text()):
        if token.type == "td_open":
            inside = True
        elif token.type == "inline" and inside:
            cells.append(token.content)
            inside = False
        elif token.type == "tr_close" and cells:
            yield cells
            cells = []


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


@pytest.mark.parametrize("platform", [*BUILT_IN, *SHIPPED], ids=lambda platform: platform.name)
def test_streams_have_these_keys(platform: Platform) -> None:
    page = ROOT / f"docs/{platform.page}.md"
    streams = {
        name: stream
        for name, stream in TapChat(validate_config=False).streams.items()
        if name.startswith(f"{platform.name}_")
    }
    told = {codes(row[0])[0]: row for row in rows(page) if codes(row[0])[:1] and len(row) == 3}
    assert streams.keys() <= told.keys()
    for name, stream in streams.items():
        _, keys, replication = told[name]
        assert tuple(codes(keys)) == tuple(stream.primary_keys), name
        if stream.replication_key:
            assert replication.startswith(f"incremental on `{stream.replication_key}`"), name
        else:
            assert replication.startswith("full table"), name


def test_readme_names_every_stream() -> None:
    told = set()
    for cells in rows(ROOT / "README.md"):
        if page := re.search(r"docs/([\w-]+)\.md", cells[0]):
            names = [known.name for known in (*BUILT_IN, *SHIPPED) if known.page == page[1]]
            told |= {f"{name}_{stream}" for name in names for stream in codes(cells[1])}
    streams = TapChat(validate_config=False).streams
    assert streams
    assert streams.keys() <= told


def test_types_are_these(tmp_path: Path) -> None:
    page = ROOT / "docs" / "types.md"
    told = [row for row in rows(page) if len(row) == 4]
    properties = {f"p{number}": json.loads(codes(row[0])[0]) for number, row in enumerate(told)}
    assert len(told) > 10
    lines = [
        json.dumps(
            {
                "type": "SCHEMA",
                "stream": "s",
                "key_properties": ["id"],
                "schema": {"properties": {"id": {"type": "integer"}} | properties},
            }
        ),
        '{"type": "RECORD", "stream": "s", "record": {"id": 1}}',
    ]
    with postgres_server() as server, server.database() as url:
        for place, destination in (
            (2, dlt.destinations.duckdb(str(tmp_path / "w.duckdb"))),
            (3, dlt.destinations.postgres(url)),
        ):
            made = dlt.pipeline(
                "types",
                pipelines_dir=str(tmp_path / str(place)),
                destination=destination,
                dataset_name="data",
            )
            made.run(singer(lines))
            known = made.default_schema.tables["s"]["columns"]
            found = columns(made)
            for name, row in zip(properties, told, strict=True):
                assert known.get(name, {}).get("data_type", "no column") == row[1], row
                assert found.get(name, "") == row[place], row


def columns(made: dlt.Pipeline) -> dict[str, str]:
    """Return the columns of the table, with their types in the database."""
    query = (
        "select column_name, data_type, numeric_precision, numeric_scale"
        " from information_schema.columns where table_name = 's' and table_schema = 'data'"
    )
    with made.sql_client() as client:
        found: Any = client.execute_sql(query)
    return {
        name: f"{kind}({precision},{scale})" if kind == "numeric" else kind
        for name, kind, precision, scale in found
    }


def test_every_option_and_fault_of_the_sandbox_is_documented() -> None:
    page = ROOT / "docs" / "sandbox.md"
    told = {code for row in rows(page) for code in codes(row[0])}
    options = {option for param in sandbox_command.params for option in param.opts}
    literals = (faults.Kind, limits.Kind, limits.Report, dialect.Event)
    assert told == options | {kind for literal in literals for kind in get_args(literal)}


def test_commands_of_the_benchmarks_exist() -> None:
    shown = codes((BENCHMARKS / "README.md").read_text())
    scripts: dict[str, list[str]] = {}
    for code in shown:
        if found := re.search(r"(?:benchmarks/)?(\w+\.(?:py|json|yml))(.*)", code):
            name, arguments = found.groups()
            assert any((folder / name).exists() for folder in (BENCHMARKS, ROOT)), code
            scripts.setdefault(name, []).extend(arguments.split())
    told = {name: words for name, words in scripts.items() if words}
    assert told
    for name, words in told.items():
        help_text = subprocess.check_output(
            [sys.executable, str(BENCHMARKS / name), "--help"], text=True
        )
        for word in words:
            # The values of options are numbers.
            assert re.match(r"[\d.]+$", word) or re.search(rf"[\s{{,]{word}\b", help_text), word

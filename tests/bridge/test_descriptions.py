"""Descriptions of the SCHEMA are dlt's hints, and comments in DuckDB and PostgreSQL."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg2
import pytest
from bridge.destinations import DATASET, Database, DuckDB
from staging import bookmark, record, schema

from dlt_bridge import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging import Stage

#: Characters that SQL would take for its own.
ODD = """It's "odd": 100% \\ of\nit; -- ☎ $1 {x} %s"""
everywhere = pytest.mark.parametrize(
    "warehouse", ["duckdb", "postgres", "exact postgres"], indirect=True
)


def described(description: str, **fields: str) -> dict[str, Any]:
    """Return a SCHEMA with descriptions of the stream and of its fields."""
    properties: dict[str, Any] = {
        name: {"type": ["string", "null"], "description": text} for name, text in fields.items()
    }
    message = schema("a", **properties)
    message["schema"]["description"] = description
    return message


def run(stage: Stage, *messages: Mapping[str, Any]) -> None:
    load(stage.pipeline, stage.source([*messages, bookmark(a={"x": 1})]), **stage.into.options)


def comments(stage: Stage) -> dict[str | None, str]:
    """Return the comments of the table and of its columns; the table's has no name."""
    if isinstance(stage.into, DuckDB):
        query = (
            "select null, comment from duckdb_tables() where schema_name = $1 and table_name = 'a'"
            " union all select column_name, comment from duckdb_columns()"
            " where schema_name = $1 and table_name = 'a'"
        )
        with duckdb.connect(str(stage.folder / "w.duckdb")) as database:
            found = database.execute(query, [DATASET]).fetchall()
    else:
        query = (
            "select attname, coalesce(col_description(attrelid, attnum), description)"
            f" from pg_attribute left join pg_description on false"
            f" where attrelid = '{DATASET}.a'::regclass and attnum > 0"
            f" union all select null, obj_description('{DATASET}.a'::regclass, 'pg_class')"
        )
        with closing(psycopg2.connect(stage.into.url)) as connection:  # type: ignore[attr-defined]
            cursor = connection.cursor()
            cursor.execute(query)
            found = cursor.fetchall()
    return {name: text for name, text in found if text and not str(name).startswith("_sdc")}


@everywhere
def test_descriptions_are_comments(anywhere: Stage) -> None:
    rows = [record("a", id=1, text="x", note="y")]
    run(anywhere, described(ODD, text=ODD, note="A note."), *rows)
    assert comments(anywhere) == {None: ODD, "text": ODD, "note": "A note."}
    # A description changes, and a column comes.
    later = described("The rows.", text="The text.", note="A note.", more="More.")
    run(anywhere, later, record("a", id=2, text="x", more="z"))
    texts = {None: "The rows.", "text": "The text.", "note": "A note.", "more": "More."}
    assert comments(anywhere) == texts
    table = anywhere.pipeline.default_schema.tables["a"]
    assert table["description"] == "The rows."
    assert table["columns"]["text"]["description"] == "The text."


@everywhere
def test_comments_of_others_stay(anywhere: Stage) -> None:
    first = described("The rows.", text="The text.", note="A note.")
    run(anywhere, first, record("a", id=1, text="x"))
    assert isinstance(anywhere.into, Database)
    anywhere.into.execute(
        f"comment on column {DATASET}.a.text is 'Ours.'", f"comment on table {DATASET}.a is null"
    )
    run(anywhere, described("Rows.", text="A text.", note="Another."), record("a", id=1, text="y"))
    assert comments(anywhere) == {None: "Rows.", "text": "Ours.", "note": "Another."}


def test_table_of_an_earlier_version_gets_comments(stage: Stage) -> None:
    run(stage, schema("a", text={"type": "string"}), record("a", id=1, text="x"))
    assert comments(stage) == {}
    run(stage, described("The rows.", text="The text."))
    assert comments(stage) == {None: "The rows.", "text": "The text."}


def test_description_of_the_user_is_kept(stage: Stage) -> None:
    for _ in range(2):
        source = stage.source([described("", text="The text."), record("a", id=1, text="x")])
        source.a.apply_hints(columns={"text": {"description": "Mine."}})
        load(stage.pipeline, source)
        assert comments(stage) == {"text": "Mine."}


@pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
def test_comment_that_the_database_refuses_is_a_warning(
    anywhere: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(anywhere.into, Database)
    anywhere.into.execute(
        "create function refuse() returns event_trigger language plpgsql"
        " as $$ begin raise exception 'no comments'; end $$",
        "create event trigger refuse on ddl_command_start when tag in ('COMMENT')"
        " execute function refuse()",
    )
    run(anywhere, described("The rows.", text="The text."), record("a", id=1, text="x"))
    assert "does not take the descriptions of tables and columns as comments" in caplog.text
    assert comments(anywhere) == {}
    assert anywhere.into.read("a", "text") == [("x",)]


@pytest.mark.parametrize("text", [1, None, "", "  ", "a\0b"])
def test_description_that_is_not_a_text_is_left_out(stage: Stage, text: Any) -> None:
    message = described("The rows.", text="The text.")
    message["schema"]["properties"]["text"]["description"] = text
    run(stage, json.loads(json.dumps(message)), record("a", id=1, text="x"))
    texts = {"text": "ab"} if text == "a\0b" else {}
    assert comments(stage) == {None: "The rows."} | texts

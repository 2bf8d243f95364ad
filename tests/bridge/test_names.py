"""Which names streams and properties have in the destination: in every run the same."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import dlt as library
import pyarrow as pa
import pytest
from bridge.destinations import SQL, Postgres
from bridge.test_refusals import refusal
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, record, schema

from dlt_bridge import BridgeError, singer
from dlt_bridge.tables.column_names import assign_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.command_line import Command
    from staging import Stage

TEXT = {"type": ["string", "null"]}
INTEGER = {"type": ["integer", "null"]}
SUFFIX = {"on_name_collision": "suffix"}


def each(names: Iterable[str], value: Any) -> dict[str, Any]:
    return dict.fromkeys(names, value)


def lines(*messages: Any) -> list[str]:
    return [json.dumps(message) for message in messages]


def version(stream: str, number: int) -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": number}


@pytest.mark.parametrize(
    ("names", "stored", "keeper"),
    [
        # Nothing is there: whose own name it is, or the first of the alphabet.
        (["userName", "user_name"], {}, "user_name"),
        (["user-name", "userName"], {}, "user-name"),
        # There is a column of which dlt's schema tells whose it is, or does not.
        (["user_name", "userName"], {"user_name": "userName"}, "userName"),
        (["userName"], {"user_name": "user-name"}, None),
        (["userName", "user_name"], {"user_name": None}, "userName"),
        # Once with a suffix, always with it.
        (["userName", "user_name"], {"user_name": None, "userName+": None}, "user_name"),
    ],
)
def test_one_of_two_colliding_names_is_kept(
    names: list[str], stored: dict[str, str | None], keeper: str | None
) -> None:
    found = assign_names(
        each(names, "user_name"), stored, lambda name: f"{name}+", str.lower, suffix=True
    )
    assert found == {name: "user_name" if name == keeper else f"{name}+" for name in names}


@pytest.mark.parametrize("warehouse", SQL, indirect=True)
def test_names_of_other_alphabets_are_loaded(anywhere: Stage) -> None:
    """Three runs: rows that change, a new column, and a version that ends what was before."""
    stream, key, first = "клиенты", "ид", ("имя", "客户", "名前", "اسم", "Größe", "été")
    signs, new = ("%", "#", "$"), "город"
    columns = [*first, "percent", "number", "dollar"]
    columns[4] = "größe"
    head = schema(stream, (key,), **{key: INTEGER}, **each([*first, *signs], TEXT))

    def row(number: int, text: str, *more: str) -> dict[str, Any]:
        values = each([*first, *signs, *more], text)
        return {**record(stream, **{key: number}, **values), "version": 1}

    def load(*messages: Any, options: Any = None) -> None:
        # As target-dlt does: without a catalog.
        anywhere.pipeline.run(singer(lines(*messages), name="tap", **(options or {})))

    load(head, row(1, "a"), row(2, "b"), version(stream, 1))
    load(head, row(2, "c"), version(stream, 1), bookmark(x=1))
    rows = anywhere.into.read(stream, key, *columns)
    assert rows == [(1, *["a"] * 9), (2, *["c"] * 9)]
    wider = schema(stream, (key,), **{key: INTEGER}, **each([*first, *signs, new], TEXT))
    load(wider, {**row(2, "d", new), "version": 2}, version(stream, 2))
    assert anywhere.into.read(stream, key, *columns, new) == [(2, *["d"] * 10)]
    assert anywhere.into.columns(stream) == {"id", key, *columns, new}


def test_streams_of_other_alphabets_are_loaded_with_a_catalog(stage: Stage) -> None:
    stage.streams = {"客户": "FULL_TABLE", "订单 №": "INCREMENTAL"}
    for number in (1, 2):
        stage.load(
            [
                *[schema("客户", keys=()), record("客户", id=number)],
                *[schema("订单 №"), record("订单 №", id=number)],
            ]
        )
    assert stage.rows('select id from data."客户"') == [(2,)]
    assert stage.rows('select id from data."订单_numero" order by id') == [(1,), (2,)]


def test_nested_names_of_other_alphabets_are_loaded(stage: Stage) -> None:
    head = schema(адреса={"type": "array"})
    for street in ("Ленина", "Мира"):
        row = record(id=1, адреса=[{"улица": street}])
        stage.load([head, row], options={"nested": "tables"})
    assert stage.rows('select "улица" from data."a__адреса"') == [("Мира",)]


@pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
def test_long_names_of_other_alphabets_stay_distinct(anywhere: Stage) -> None:
    stream, names = "ж" * 100, ("ж" * 100 + "д", "ж" * 100 + "ф")
    anywhere.streams = {stream: "INCREMENTAL"}
    head = schema(stream, **each(names, INTEGER))
    for number in (1, 2):
        values = each(names, number) | {names[1]: number + 1}
        anywhere.load([head, record(stream, id=1, **values)])
    naming = anywhere.pipeline.default_schema.naming
    table, *columns = map(naming.normalize_path, (stream, *names))
    assert anywhere.into.read(table, "id", *columns) == [(1, 2, 3)]


def test_pipeline_keeps_the_names_that_it_began_with(stage: Stage) -> None:
    """As it was loaded before there was another naming convention than dlt's own."""

    @library.source(name="scripted_tap")
    def before() -> Any:
        old = pa.table({"id": [1], "Größe": ["x"], "n": ["{}"], "_sdc_sequence": [1]})
        yield library.resource(
            [old],
            name="a",
            primary_key="id",
            write_disposition="merge",
            columns={"n": {"data_type": "json"}},
        )

    stage.pipeline.run(before())
    head = schema(Größe=TEXT, n={}, Länge=TEXT)
    stage.load([head, record(id=1, Größe="y", n=1, Länge="z")])
    stage.pipeline = stage.new_pipeline("another machine")
    stage.load([head, record(id=2, Größe="y", n=1, Länge="z")])
    assert stage.rows("select id, gr_e, n, l_nge from data.a order by id") == [
        (1, "y", "1", "z"),
        (2, "y", "1", "z"),
    ]
    assert stage.into.columns("a") == {"id", "gr_e", "n", "l_nge"}
    # The way in which objects are loaded can be changed anyway.
    stage.streams["b"] = "INCREMENTAL"
    rows = [schema("b", m={"type": "array"}), record("b", id=2, m=[{"é": 1}])]
    stage.load(rows, options={"nested": "tables"})
    assert stage.rows("select x from data.b__m") == [(1,)]
    # And what meets by the names of that time says what to do.
    sentence = refusal(stage, [schema(имя=TEXT, город=TEXT)])
    assert "`имя`, `город` would be one column, `x`. Set on_name_collision" in sentence


def test_first_of_two_colliding_names_keeps_its_column(stage: Stage) -> None:
    first = schema(Name=TEXT)
    both = schema(name=TEXT, Name=TEXT)
    stage.load([first, record(id=1, Name="N")])
    assert "would be one column, `name`. Set on_name_collision" in refusal(stage, [both])
    stage.load([both, record(id=2, Name="N", name="n")], options=SUFFIX)
    stage.pipeline = stage.new_pipeline("another machine")
    swapped = schema(Name=TEXT, name=TEXT)
    stage.load([swapped, record(id=1, Name="M", name="m")], options=SUFFIX)
    # Later runs need no option, and neither does a column without values.
    stage.load([schema(name=TEXT), record(id=3, name="o")])
    [suffixed] = stage.into.columns("a") - {"id", "name"}
    assert suffixed.startswith("name_")
    assert stage.rows(f"select id, name, {suffixed} from data.a order by id") == [
        (1, "M", "m"),
        (2, "N", "n"),
        (3, None, "o"),
    ]


def test_suffix_does_not_depend_on_the_order_of_properties(stage: Stage) -> None:
    names = ["userName", "user_name", "user-name"]
    for stream, order in (("x", names), ("y", names[::-1])):
        stage.streams = {stream: "INCREMENTAL"}
        head = schema(stream, ("userName",), **each(order, TEXT))
        for value in ("a", "b"):
            row = {name: f"{name} {value}" for name in names} | {"userName": "key"}
            stage.load([head, record(stream, id=1, **row)], options=SUFFIX)
    assert stage.into.columns("x") == stage.into.columns("y")
    found = stage.rows("from data.x select columns('user.*')")
    assert [sorted(row) for row in found] == [["key", "user-name b", "user_name b"]]
    assert stage.rows("select user_name from data.x") == [("user_name b",)]


@pytest.mark.parametrize("catalog", [True, False])
def test_streams_with_colliding_names_get_separate_tables(stage: Stage, *, catalog: bool) -> None:
    stage.streams = {"Orders": "INCREMENTAL", "orders": "INCREMENTAL"}

    def load(stream: str, number: int, *more: Any, options: Any = None) -> None:
        messages = [*more, schema(stream), record(stream, id=number)]
        if catalog:
            stage.load(messages, options=options)
        else:
            stage.pipeline.run(singer(lines(*messages), name="scripted_tap", **(options or {})))

    small = [schema("orders"), record("orders", id=-1)]
    if not catalog:
        load("Orders", 1)
        with pytest.raises(PipelineStepFailed, match="would be one table, `orders`"):
            load("Orders", 2, *small)
    load("Orders", 2, *small, options=SUFFIX)
    stage.pipeline = stage.new_pipeline("another machine")
    load("Orders", 3, *small, options=SUFFIX)
    load("orders", -2, options=SUFFIX)
    tables = dict(
        stage.rows(
            "select table_name = 'orders', table_name from information_schema.tables"
            " where table_schema = 'data' and table_name like 'orders%'"
        )
    )
    found = {
        plain: stage.rows(f'select id from data."{name}" order by id')
        for plain, name in tables.items()
    }
    large, little = [(1,), (2,), (3,)], [(-2,), (-1,)]
    # Who came first keeps the name; if none did, whose own it is.
    assert found == ({True: little, False: large[1:]} if catalog else {True: large, False: little})


@pytest.mark.parametrize("warehouse", SQL, indirect=True)
def test_columns_that_another_loader_added_are_loaded_under_other_names(
    anywhere: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that a Singer target, dlt, or the bridge has loaded is a source again."""
    kept = (
        "_sdc_sequence",
        "_sdc_table_version",
        "_dlt_id",
        "_dlt_load_id",
        "xmin",
    )
    anywhere.load([schema(v=TEXT), record(id=1, v="ours")])
    head = schema(**each(kept, INTEGER))
    for number in (2, 3):
        # The last of them counts, whatever the source says.
        rows = [record(id=1, **each(kept, 9)), record(id=1, **each(kept, number))]
        rows = [{**row, "version": number} for row in rows]
        anywhere.load(
            [
                head,
                {**record(id=number, **each(kept, 0)), "version": number},
                *rows,
                version("a", number),
            ]
        )
    columns = [
        "source_sdc_sequence",
        "source_sdc_table_version",
        "source_dlt_id",
        "source_dlt_load_id",
    ]
    columns += ["source_xmin" if isinstance(anywhere.into, Postgres) else "xmin"]
    assert anywhere.into.read("a", "id", *columns) == [(3, *[0] * 5), (1, *[3] * 5)]
    assert anywhere.into.read("a", "_sdc_table_version") == [(3,), (3,)]
    assert caplog.text.count("`_sdc_sequence` is loaded as the column `source_sdc_sequence`") == 1


def test_reserved_names_of_tables_are_loaded_as_streams(stage: Stage) -> None:
    # The last two name devices of Windows, which dlt refuses as names of files.
    tables = {"_dlt_loads": "dlt_loads", "_DLT_mine": "dlt_mine", "aux": "aux", "COM1": "com1"}
    stage.streams = dict.fromkeys(tables, "INCREMENTAL")
    for number in (1, 2):
        rows = [(schema(name), record(name, id=number)) for name in tables]
        stage.load([*chain.from_iterable(rows)])
    for table in tables.values():
        assert stage.rows(f"select id from data.source_{table} order by id") == [(1,), (2,)]


def test_name_of_a_table_is_no_longer_than_that_of_a_file(stage: Stage) -> None:
    stream = "t" * 300
    stage.streams = {stream: "INCREMENTAL"}
    for value in (1, "x"):
        stage.load([schema(stream, v=INTEGER), record(stream, id=1, v=value)])
    [(table,)] = stage.rows(
        "select table_name from information_schema.tables"
        " where table_name like 'tt%' and table_schema = 'data'"
    )
    assert stage.rows(f"select v, v__v_text from data.{table}") == [(None, "x")]


def test_stream_with_two_underscores_keeps_its_types(stage: Stage) -> None:
    """dlt takes the name of a resource for a path, and keeps both."""
    stage.streams = {"db__a": "INCREMENTAL"}
    for kind, value in ((INTEGER, 1), (TEXT, "x")):
        stage.load([schema("db__a", v=kind), record("db__a", id=1, v=value)])
    assert stage.rows("select v, v__v_text from data.db__a") == [(None, "x")]


def test_naming_convention_of_dlt_can_be_chosen(stage: Stage) -> None:
    direct = {"naming": "direct"}
    head = schema(**each(["Имя", "userName"], TEXT))
    for value in ("a", "b"):
        stage.load([head, record(id=1, Имя=value, userName=value)], options=direct)
    assert stage.rows('select "Имя", "userName" from data.a') == [("b", "b")]
    # What differs by nothing but case is one column of DuckDB.
    assert "one column, `Name`" in refusal(stage, [schema(Name=TEXT, name=TEXT)])
    stage.load([schema(Name=TEXT, name=TEXT), record(id=1, Name="N", name="n")], options=SUFFIX)
    assert stage.rows("select name, name_82a353 from data.a where name is not null") == [("N", "n")]
    with pytest.raises(PipelineStepFailed, match="names its tables by `direct`"):
        stage.load([schema()], options={"naming": "snake_case"})
    with pytest.raises(BridgeError, match="There is no such naming convention"):
        stage.load([schema()], options={"naming": "rot13"})


def test_dataset_that_dlt_would_not_find_again_is_refused(stage: Stage) -> None:
    stage.pipeline = library.pipeline(
        "test",
        pipelines_dir=str(stage.folder),
        destination=stage.into.destination(),
        dataset_name="données",
    )
    assert "would not find the dataset `données` again" in refusal(stage, [schema()])


def test_streams_can_be_excluded(stage: Stage) -> None:
    stage.streams = dict.fromkeys(["a", "bad_1", "bad_2", "c"], "INCREMENTAL")
    every = [part for name in stage.streams for part in (schema(name), record(name, id=1))]
    source = stage.source(every, options={"select": ["!bad_*"]})
    assert set(source.resources.selected) == {"a", "c"}
    assert set(
        stage.source(every, options={"select": ["bad_*", "c", "!bad_1"]}).selected_resources
    ) == {"bad_2", "c"}
    with pytest.raises(BridgeError, match="has no stream `bed`"):
        stage.source(every, options={"select": ["!bed"]})
    with pytest.raises(BridgeError, match="leaves out every stream"):
        stage.source(every, options={"select": ["!*"]})
    stage.pipeline.run(singer(lines(*every), name="tap", select=["!bad_*"]))
    tables = {
        table for table in stage.pipeline.default_schema.tables if not table.startswith("_dlt")
    }
    assert tables == {"a", "c"}


def test_command_line_excludes_streams_and_adds_suffixes(dlt: Command) -> None:
    dlt.streams = ("a", "b", "c")
    heads = [schema("a", Name=TEXT, name=TEXT), schema("b"), schema("c")]
    records = [record("a", id=1, Name="N", name="n"), record("b", id=1), record("c", id=1)]
    done = dlt("singer", "run", dlt.plays([*heads, *records]))
    assert "--on-name-collision suffix" in done.stderr
    printed = dlt.run([*heads, *records], "--exclude", "a")
    assert "│ c" in printed
    assert "│ a " not in printed
    (dlt.folder / ".dlt").mkdir()
    (dlt.folder / ".dlt" / "config.toml").write_text(
        '[sources.singer.scripted_tap]\nselect = ["a", "b"]'
    )
    printed = dlt.run([*heads, *records], "--exclude", "b", "--on-name-collision", "suffix")
    assert "│ b" not in printed
    assert dlt.rows("select name, name_dcd1d5 from scripted_tap_dataset.a") == [("n", "N")]

"""What a dlt user asks of a source or a run: hints, steps, contracts, several sources at once."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow.compute as pc
import pytest
from bridge.destinations import DATA
from dlt.extract.exceptions import ResourcesNotFoundError
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, bookmark, entry, record, schema

from dlt_bridge import load, singer
from dlt_bridge.tables import backlog, sink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from dlt.extract import DltResource, DltSource

    #: A change of a resource.
    Change = Callable[[DltResource], Any]
    #: The change, the messages, and the rows after the run.
    Run = tuple[Change, list[Any], list[tuple[Any, ...]]]
    #: A query, and its runs.
    Case = tuple[str, list[Run]]

TEXT = {"type": ["string", "null"]}
NUMBER = {"type": "number"}
INTEGER = {"type": ["integer", "null"]}
RECORDS = [
    schema("a", v=TEXT),
    record("a", id=1, v="x"),
    record("a", id=2, v="y"),
    schema("b"),
    record("b", id=1),
    bookmark(a={"x": 1}, b={"x": 1}),
]


def source(
    messages: Sequence[dict[str, Any]] = RECORDS, *, method: str = "INCREMENTAL", **options: Any
) -> DltSource:
    """Return a source of lines, with a catalog, so that streams have resources."""
    streams = {message["stream"] for message in messages if "stream" in message}
    catalog = {"streams": [entry(stream, method) for stream in sorted(streams)]}
    return singer([json.dumps(message) for message in messages], catalog=catalog, **options)


def tables(stage: Stage) -> set[str]:
    query = "select table_name from information_schema.tables where table_schema = 'data'"
    return {name for (name,) in stage.rows(query) if not name.startswith("_dlt")}


@pytest.fixture
def small_parcels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand every batch to dlt by itself, and make small ones."""
    monkeypatch.setattr(backlog, "ROW_GROUP_ROWS", 1)
    monkeypatch.setattr(sink, "BATCH_ROWS", 200)


# Hints of a resource


def test_unknown_stream_is_refused() -> None:
    with pytest.raises(ResourcesNotFoundError, match="zzz"):
        source().with_resources("zzz")


def hints(**given: Any) -> Change:
    return lambda resource: resource.apply_hints(**given)


def no_hints(_: DltResource) -> None:
    pass


def strategy(name: str) -> Change:
    return hints(write_disposition={"disposition": "merge", "strategy": name})


def contract(mode: str) -> Change:
    return hints(schema_contract={"columns": mode})


def louder_first(resource: DltResource) -> None:
    """Steps are given Arrow tables."""
    resource.add_map(lambda rows: rows.set_column(1, "v", pc.utf8_upper(rows["v"])))
    resource.add_map(lambda rows: rows.filter(pc.equal(rows["id"], 1)))


def as_rows(resource: DltResource) -> None:
    resource.add_yield_map(lambda rows: iter(rows.to_pylist()))


def equal_keys(resource: DltResource) -> None:
    """The bridge compared keys before the step does its work."""
    resource.add_map(lambda rows: rows.set_column(0, "id", pc.multiply(rows["id"], 0)))


def typed(prop: Any, hint: str, text: str, column: str, expected: str) -> Case:
    """Return the case of a value whose column has a type of the user."""
    line = f'{{"type": "RECORD", "stream": "a", "record": {{"id": 1, "v": {text}}}}}'
    columns = {"v": DECIMAL if hint == "decimal" else {"data_type": hint}}
    run = (hints(columns=columns), [schema("a", v=prop), line], [(column, expected)])
    return "select typeof(v), v::varchar from data.{}", [run]


def keyed(value: str) -> list[Any]:
    return [schema("a", k=TEXT), *(record("a", id=number, k=value) for number in (1, 2))]


def sorted_by(*values: int) -> list[Any]:
    return [schema("a", v=INTEGER), *(record("a", id=1, v=value) for value in values)]


ALL = f"select {DATA} from data.{{}} order by id"
COUNT = "select count(*) from data.{}"
DECIMAL = {"data_type": "decimal", "precision": 20, "scale": 4}
APPEND, REPLACE = (hints(write_disposition=name) for name in ("append", "replace"))
KEY, OTHER = hints(primary_key="k"), hints(table_name="other")
DESC = hints(columns={"v": {"dedup_sort": "desc"}})
SCALE = hints(columns={"v": DECIMAL})
SAID = hints(columns={"v": {"description": "what was said"}})
XY = [schema("a", v=TEXT), record("a", id=1, v="x"), record("a", id=2, v="y")]
XZ = [schema("a", v=TEXT), record("a", id=1, v="x"), record("a", id=1, v="z")]
MORE = [schema("a", v=TEXT, n=INTEGER), record("a", id=3, v="z", n=1), record("a", id=4, v="z")]
ADDED = [(3, "z", 1), (4, "z", None)]
NUMBERS = [schema("a", v=NUMBER), record("a", id=1, v=1.5), record("a", id=2, v=1.23456)]
BEFORE: Run = (no_hints, XY, [(1, "x"), (2, "y")])
LONG = "1234567890123456.7891"
MOMENT = ("2026-01-01T02:00:00+02:00", "TIMESTAMP WITH TIME ZONE", "2026-01-01 00:00:00+00")
#: What a user does with a stream: the query of its table; and of each run the change of the
#: resource, the messages and the rows. All streams are loaded together.
CASES: dict[str, Case] = {
    "no_hints": (COUNT, [(no_hints, XY, [(2,)])] * 2),
    "append": (COUNT, [(APPEND, XY, [(2,)]), (APPEND, XY, [(4,)])]),
    "replace": (COUNT, [(REPLACE, XY, [(2,)])] * 2),
    "key": (
        "select id, k from data.{} order by k",
        [(KEY, keyed("x"), [(2, "x")]), (KEY, keyed("y"), [(2, "x"), (2, "y")])],
    ),
    "sort_column": (
        "select v from data.{}",
        [(no_hints, sorted_by(1, 0), [(0,)]), *[(DESC, sorted_by(5, 2), [(5,)])] * 2],
    ),
    "decimal": typed(NUMBER, "decimal", LONG, "DECIMAL(20,4)", LONG),
    "date": typed(TEXT, "date", '"2026-02-28"', "DATE", "2026-02-28"),
    "timestamp": typed(TEXT, "timestamp", f'"{MOMENT[0]}"', *MOMENT[1:]),
    "json": typed({"type": "object"}, "json", '{"x":1}', "JSON", '{"x":1}'),
    "value_that_does_not_fit": (
        "select v, v__v_decimal from data.{} order by id",
        [(SCALE, NUMBERS, [(Decimal("1.5000"), None), (None, Decimal("1.23456"))])],
    ),
    "description": (COUNT, [(SAID, XY, [(2,)])]),
    "table_name": ("select id from data.other order by id", [(OTHER, XY, [(1,), (2,)])] * 2),
    "upsert": (ALL, [(strategy("upsert"), XZ, [(1, "z")])]),
    "delete_insert": (ALL, [(strategy("delete-insert"), XZ, [(1, "z")])]),
    "unsupported_table_format": (COUNT, [(hints(table_format="delta"), XY, [(2,)])]),
    "map_and_filter": (ALL, [(louder_first, XY, [(1, "X")])]),
    "rows_made_of_tables": (ALL, [(as_rows, XY, [(1, "x"), (2, "y")])]),
    "keys_made_equal": (ALL, [(equal_keys, XY, [(0, "y")])]),
    "contract_evolve": (
        ALL,
        [BEFORE, (contract("evolve"), MORE, [(1, "x", None), (2, "y", None), *ADDED])],
    ),
    "contract_discard_row": (
        ALL,
        [BEFORE, (contract("discard_row"), MORE, [(1, "x"), (2, "y"), (4, "z")])],
    ),
    "contract_discard_value": (
        ALL,
        [BEFORE, (contract("discard_value"), MORE, [(1, "x"), (2, "y"), (3, "z"), (4, "z")])],
    ),
}


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, dict[str, list[Any]]]:
    """A stage that has loaded CASES, and the rows of each stream after each run."""
    stage = Stage(tmp_path_factory.mktemp("changed"))
    found: dict[str, list[Any]] = {name: [] for name in CASES}
    for number in range(3):
        due = {name: runs[number] for name, (_, runs) in CASES.items() if number < len(runs)}
        lines = [
            (message if isinstance(message, str) else json.dumps(message)).replace(
                '"stream": "a"', f'"stream": "{name}"'
            )
            for name, (_, messages, _) in due.items()
            for message in messages
        ]
        made = singer(lines, catalog={"streams": [entry(name, "INCREMENTAL") for name in due]})
        for name, (change, _, _) in due.items():
            change(made.resources[name])
        stage.pipeline.run(made)
        for name in due:
            found[name].append(stage.rows(CASES[name][0].format(name)))
    return stage, found


@pytest.mark.parametrize("name", CASES)
def test_changes_of_the_user_take_effect(
    changed: tuple[Stage, dict[str, list[Any]]], name: str
) -> None:
    _, found = changed
    assert found[name] == [rows for _, _, rows in CASES[name][1]]


def test_hints_of_the_user_are_in_the_schema(
    changed: tuple[Stage, dict[str, list[Any]]],
) -> None:
    stage, _ = changed
    known: Any = stage.pipeline.default_schema.tables
    column = known["description"]["columns"]["v"]
    assert (column["description"], column["data_type"]) == ("what was said", "text")
    assert known["upsert"]["x-merge-strategy"] == "upsert"
    assert known["delete_insert"]["x-merge-strategy"] == "delete-insert"
    assert "other" in tables(stage)
    assert "table_name" not in tables(stage)


def test_replaced_stream_is_read_from_its_beginning(stage: Stage) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    stage.load(RECORDS)
    made = stage.source([schema("a"), record("a", id=3), bookmark(a={"x": 9}, b={"x": 1})])
    made.a.apply_hints(write_disposition="replace")
    stage.pipeline.run(made)
    assert stage.given["state"] == {"bookmarks": {"b": {"x": 1}}}
    assert stage.rows("select id from data.a") == [(3,)]


def test_key_of_the_user_must_be_a_property(stage: Stage) -> None:
    made = source()
    made.a.apply_hints(primary_key="nope")
    with pytest.raises(PipelineStepFailed, match=r"Stream a: .* no property for its key `nope`"):
        stage.pipeline.run(made)


def test_key_of_the_user_that_is_null_is_refused(stage: Stage) -> None:
    made = source([schema("a", keys=(), k=TEXT), record("a", id=1, k="x"), record("a", k=None)])
    made.a.apply_hints(primary_key="k")
    with pytest.raises(PipelineStepFailed, match="Stream a: `k` in line 3 is null"):
        stage.pipeline.run(made)


def test_name_of_another_table_is_refused(stage: Stage) -> None:
    made = source()
    made.a.apply_hints(table_name="b")
    with pytest.raises(PipelineStepFailed, match="streams `a`, `b` would be one table, `b`"):
        stage.pipeline.run(made)


def test_hint_that_depends_on_rows_is_refused(stage: Stage) -> None:
    made = source()
    made.a.apply_hints(table_name=lambda _: "x")
    with pytest.raises(PipelineStepFailed, match="Resource a: a hint is a function of a row"):
        stage.pipeline.run(made)


@pytest.mark.parametrize("disposition", ["skip", {"disposition": "merge", "strategy": "scd2"}])
def test_unsupported_disposition_is_refused(stage: Stage, disposition: Any) -> None:
    """dlt would find out only when the package is there, and stay with it."""
    made = source()
    made.a.apply_hints(write_disposition=disposition)
    with pytest.raises(PipelineStepFailed, match=r"Stream a: .* is not supported here"):
        stage.pipeline.run(made)
    assert not stage.pipeline.has_pending_data


def test_resource_cannot_be_renamed(stage: Stage) -> None:
    """Its stream would not be found, and nothing be loaded."""
    with pytest.raises(PipelineStepFailed, match=r"resource renamed .* apply_hints\(table_name"):
        stage.pipeline.run(source().a.with_name("renamed"))


def test_transformer_of_a_stream_is_refused(stage: Stage) -> None:
    """It would be given nothing: only selected streams are read."""

    @dlt.transformer
    def lengths(rows: pa.Table) -> Any:
        yield {"rows": len(rows)}

    with pytest.raises(PipelineStepFailed, match="transformer takes rows from the stream a"):
        stage.pipeline.run(source().a | lengths)


# Arguments of a run


def test_arguments_of_run_are_used(stage: Stage) -> None:
    for _ in range(2):
        stage.pipeline.run(source(), write_disposition="append")
    assert stage.rows("select count(*) from data.a") == [(4,)]
    stage.pipeline.run(source(), write_disposition="replace")
    assert stage.rows("select count(*) from data.a") == [(2,)]
    assert stage.rows("select count(*) from data.b") == [(1,)]


def test_key_and_table_of_run_are_used(stage: Stage) -> None:
    messages = [schema("a", keys=(), v=TEXT), record("a", id=1, v="x"), record("a", id=2, v="x")]
    stage.pipeline.run(source(messages), primary_key="v", table_name="t")
    assert stage.rows("select id, v from data.t") == [(2, "x")]


@pytest.mark.parametrize("disposition", ["append", "replace", None])
def test_arguments_of_run_are_used_for_all_streams_of_lines(stage: Stage, disposition: Any) -> None:
    for _ in range(2):
        lines = [json.dumps(message) for message in RECORDS]
        stage.pipeline.run(singer(lines), write_disposition=disposition)
    assert stage.rows("select count(*) from data.a") == [(4 if disposition == "append" else 2,)]


def test_table_name_for_all_streams_of_lines_is_refused(stage: Stage) -> None:
    lines = [json.dumps(message) for message in RECORDS]
    with pytest.raises(PipelineStepFailed, match="table_name can't be given to all streams"):
        stage.pipeline.run(singer(lines), table_name="t")


def test_replaced_table_has_the_rows_of_all_checkpoints(stage: Stage) -> None:
    messages: list[dict[str, Any]] = [schema("a")]
    for number in range(3):
        messages += [record("a", id=number), bookmark(a={"x": number})]
    for _ in range(2):
        load(stage.pipeline, source(messages), checkpoint_every=0, write_disposition="replace")
    assert stage.rows("select id from data.a order by id") == [(0,), (1,), (2,)]


# Steps


@pytest.mark.usefixtures("small_parcels")
@pytest.mark.parametrize("known", [True, False])
def test_step_that_drops_the_first_rows_drops_no_hints(stage: Stage, *, known: bool) -> None:
    """Without the key, the rows that come after would be appended."""
    messages = [
        schema("A b", v={"type": "object"}),
        *(record("A b", id=number % 300, v={}) for number in range(600)),
    ]
    for _ in range(2):
        lines = [json.dumps(message) for message in messages]
        made = source(messages) if known else singer(lines)
        resource = made.resources["A b" if known else "singer"]
        resource.add_filter(lambda rows: len(rows) > 0 and rows["id"][0].as_py() != 0)
        stage.pipeline.run(made)
    query = "select count(*), count(distinct id), any_value(typeof(v)) from data.a_b"
    assert stage.rows(query) == [(300, 300, "JSON")]


@pytest.fixture(scope="module", params=["json", "tables"])
def run_again(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A stage that has run the same source three times, of which steps drop rows the first time."""
    stage = Stage(tmp_path_factory.mktemp("again"))
    later = [schema("mapped", v=TEXT), record("mapped", id=2, v="x")]
    messages = [message for name in ("filtered", "mapped") for message in both(name)]
    made = source([*messages, *later, *both("appended")], nested=request.param)
    made.appended.apply_hints(write_disposition="append")
    drop = [True]
    made.filtered.add_filter(lambda _: not drop[0])
    made.mapped.add_map(lambda rows: None if drop[0] else rows)
    for dropped in (True, False, False):
        drop[0] = dropped
        stage.pipeline.run(made)
    return stage


def both(stream: str) -> list[Any]:
    return [schema(stream), record(stream, id=1)]


def test_stream_dropped_by_a_step_gets_its_hints_later(run_again: Stage) -> None:
    """Hints that dlt never got must not count as hints of the user."""
    assert run_again.rows("select id from data.filtered") == [(1,)]


def test_map_that_returns_none_drops_rows(run_again: Stage) -> None:
    """dlt's documentation asks for this; an empty row would be in each package otherwise."""
    assert run_again.rows("select id, v from data.mapped order by id") == [(1, None), (2, "x")]


def test_hints_hold_for_a_source_that_is_run_again(run_again: Stage) -> None:
    assert run_again.rows("select count(*) from data.appended") == [(3,)]


@pytest.mark.usefixtures("small_parcels")
@pytest.mark.parametrize("checkpoints", [True, False])
def test_limit_keeps_no_bookmark(stage: Stage, *, checkpoints: bool) -> None:
    """What the limit leaves out must come with the next run."""
    messages = [schema(), *(record(id=number) for number in range(450)), bookmark(a={"x": 1})]
    made = stage.source(messages)
    made.resources["_singer"].add_limit(1)
    if checkpoints:
        load(stage.pipeline, made, checkpoint_every=0)
    else:
        stage.pipeline.run(made)
    # All of them, where the process that decodes starts late.
    assert 0 < stage.rows("select count(*) from data.a")[0][0] <= 450
    stage.load(messages)
    assert "state" not in stage.given
    assert stage.rows("select count(*) from data.a") == [(450,)]


def test_streams_are_not_limited_by_themselves(stage: Stage) -> None:
    """dlt warns of it: transformers have all their rows."""
    stage.pipeline.run(source().add_limit(1))
    assert stage.rows("select count(*) from data.a") == [(2,)]


# Contracts


def test_frozen_columns_are_kept(stage: Stage) -> None:
    stage.pipeline.run(source())
    with pytest.raises(PipelineStepFailed, match="`n` to table `a` because `columns`"):
        stage.pipeline.run(source(MORE), schema_contract={"columns": "freeze"})
    assert stage.rows(ALL.format("a")) == [(1, "x"), (2, "y")]


def test_contract_of_tables_is_kept(stage: Stage) -> None:
    stage.pipeline.run(source([schema("a"), record("a", id=1)]))
    with pytest.raises(PipelineStepFailed, match="Can't add table `b`"):
        stage.pipeline.run(source(), schema_contract={"tables": "freeze"})
    assert tables(stage) == {"a"}
    modes: list[tuple[Any, set[str]]] = [
        ("discard_row", {"a"}),
        ("discard_value", {"a"}),
        ("evolve", {"a", "b"}),
    ]
    for mode, expected in modes:
        stage.pipeline.run(source(), schema_contract={"tables": mode})
        assert tables(stage) == expected


def test_contract_of_types_is_about_variants(stage: Stage) -> None:
    stage.pipeline.run(source([schema("a", v=INTEGER), record("a", id=1, v=5)]))
    made = source([schema("a", v=TEXT), record("a", id=3, v="x"), record("a", id=4)])
    with pytest.raises(PipelineStepFailed, match="variant column `v__v_text`"):
        stage.pipeline.run(made, schema_contract={"data_type": "freeze"})
    assert stage.rows(ALL.format("a")) == [(1, 5)]
    modes: list[tuple[Any, list[Any]]] = [
        ("discard_value", [(1, 5), (3, None), (4, None)]),
        ("evolve", [(1, 5, None), (3, None, "x"), (4, None, None)]),
    ]
    for mode, expected in modes:
        stage.pipeline.run(made, schema_contract={"data_type": mode})
        assert stage.rows(ALL.format("a")) == expected


# Runs


def test_refresh_reads_from_the_start(stage: Stage) -> None:
    """One stream alone: see test_state.py."""
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    modes: list[tuple[Any, set[str]]] = [
        ("drop_sources", {"a"}),
        ("drop_resources", {"a"}),
        ("drop_data", {"a", "b"}),
    ]
    for mode, left in modes:
        stage.load([*RECORDS, {"type": "STATE", "value": {"cursor": 1}}], refresh="drop_sources")
        stage.load([schema("a"), record("a", id=7), bookmark(a={"x": 2})], refresh=mode)
        assert "state" not in stage.given
        assert stage.rows("select id from data.a") == [(7,)]
        assert tables(stage) == left
        assert "b" not in left or stage.rows("select id from data.b") == []


def test_refresh_drops_tables_once_in_a_run_with_checkpoints(stage: Stage) -> None:
    stage.pipeline.run(source())
    messages = [schema("a"), record("a", id=7), bookmark(a={"x": 1}), record("a", id=8)]
    load(stage.pipeline, source(messages), checkpoint_every=0, refresh="drop_sources")
    assert stage.rows("select id from data.a order by id") == [(7,), (8,)]


@pytest.mark.parametrize("checkpoints", [True, False])
def test_source_can_be_run_again(stage: Stage, *, checkpoints: bool) -> None:
    made = stage.source([schema(), record(id=1), bookmark(a={"x": 1}), record(id=2)])
    for _ in range(2):
        if checkpoints:
            load(stage.pipeline, made, checkpoint_every=0)
        else:
            stage.pipeline.run(made)
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}}}
    assert stage.rows("select id from data.a order by id") == [(1,), (2,)]


def test_each_source_of_a_run_has_its_own_state(stage: Stage) -> None:
    one = source([schema("a"), record("a", id=1), bookmark(a={"x": 1})], name="one")
    two = source([schema("b"), record("b", id=2), bookmark(b={"x": 2})], name="two")
    plain = dlt.resource([{"x": 1}], name="plain")
    stage.pipeline.run([one, two, plain])
    assert tables(stage) == {"a", "b", "plain"}
    sources = stage.pipeline.state["sources"]
    assert sources["one"]["resources"] == {"a": {"bookmarks": {"a": {"x": 1}}}}
    assert sources["two"]["resources"] == {"b": {"bookmarks": {"b": {"x": 2}}}}


def test_run_may_combine_a_tap_and_other_resources(stage: Stage) -> None:
    stage.pipeline.run([source().a, source().b, dlt.resource([{"x": 1}], name="plain")][1:])
    assert tables(stage) == {"b", "plain"}
    made = source()
    stage.pipeline.run([made.a, made.b])
    assert tables(stage) == {"a", "b", "plain"}


def test_sources_that_would_share_a_table_are_refused(stage: Stage) -> None:
    """One would replace or overwrite what the other brought."""
    one, two = source(name="one"), source(name="two")
    with pytest.raises(PipelineStepFailed, match="`a` is one of the source one"):
        stage.pipeline.run([one, two])
    stage.pipeline.run(one)
    with pytest.raises(PipelineStepFailed, match="`a` is one of the source one"):
        stage.pipeline.run(two)


def test_sources_of_one_name_are_refused(stage: Stage) -> None:
    """The second account would continue from the bookmark of the first."""
    with pytest.raises(PipelineStepFailed, match="Two sources with the name singer"):
        stage.pipeline.run([source(), source()])
    stage.pipeline.run([source().with_resources("a"), source().with_resources("b")])
    assert tables(stage) == {"a", "b"}


def test_pipelines_may_share_a_dataset(stage: Stage) -> None:
    other = dlt.pipeline(
        "other",
        pipelines_dir=str(stage.folder / "other"),
        destination=stage.pipeline.destination,
        dataset_name="data",
    )
    stage.pipeline.run(source([schema("a", v=TEXT), record("a", id=1), bookmark(a={"x": 1})]))
    other.run(source([schema("a", n=INTEGER), record("a", id=2, n=5), bookmark(a={"x": 2})]))
    stage.pipeline.run(source([schema("a", v=TEXT), record("a", id=3, v="x")]))
    query = "select id, v, n from data.a order by id"
    assert stage.rows(query) == [(1, None, None), (2, None, 5), (3, "x", None)]
    assert stage.pipeline.state["sources"]["singer"]["resources"]["a"]["bookmarks"]["a"] == {"x": 1}


def test_steps_of_a_run_may_be_apart(stage: Stage) -> None:
    for value in ("new", "newer"):
        stage.pipeline.extract(source([schema("a", v=TEXT), record("a", id=1, v=value)]))
    stage.pipeline.normalize()
    stage.pipeline.load()
    assert stage.rows("select id, v from data.a") == [(1, "newer")]


def test_pipeline_without_a_destination_is_refused(stage: Stage) -> None:
    pipeline = dlt.pipeline("nowhere", pipelines_dir=str(stage.folder))
    with pytest.raises(PipelineStepFailed, match=r"no destination.*name it first"):
        pipeline.extract(source())


def test_every_run_in_dev_mode_starts_without_a_state(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = dlt.pipeline(
        "dev",
        pipelines_dir=str(stage.folder / "dev"),
        destination=stage.pipeline.destination,
        dataset_name="data",
        dev_mode=True,
        progress="log",
    )
    pipeline.run(source())
    assert stage.rows(f"select count(*) from {pipeline.dataset_name}.a") == [(2,)]
    assert pipeline.dataset_name != "data"
    assert "a: 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("naming", "table", "column"),
    [("direct", "My Stream", "userId"), ("sql_ci_v1", "my_stream", "userid")],
)
def test_names_are_those_of_the_naming_convention(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, naming: str, table: str, column: str
) -> None:
    monkeypatch.setenv("SCHEMA__NAMING", naming)
    version = {"type": "ACTIVATE_VERSION", "stream": "My Stream", "version": 1}
    for value in ("x", "y"):
        head = schema("My Stream", keys=("Id Col",), **{"Id Col": {"type": "integer"}}, userId=TEXT)
        row = record("My Stream", **{"id": 1, "Id Col": 1, "userId": value})
        stage.pipeline.run(source([head, row, version], method="FULL_TABLE"))
    assert tables(stage) == {table}
    assert stage.rows(f'select "{column}" from data."{table}"') == [("y",)]


def test_other_names_than_those_that_are_stored_are_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.pipeline.run(source([schema("a", userId=TEXT), record("a", id=1, userId="x")]))
    monkeypatch.setenv("SCHEMA__NAMING", "direct")
    with pytest.raises(PipelineStepFailed, match="changed one or more identifiers"):
        stage.pipeline.run(source([schema("a", userId=TEXT), record("a", id=1, userId="y")]))
    assert stage.rows("select user_id from data.a") == [("x",)]


def test_ids_of_dlt_are_added_if_they_are_asked_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID", "true")
    for _ in range(2):
        stage.pipeline.run(source())
    query = "select count(*), count(distinct _dlt_load_id), min(length(_dlt_load_id)) > 0"
    assert stage.rows(f"{query} from data.a") == [(2, 1, True)]

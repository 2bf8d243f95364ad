"""ACTIVATE_VERSION and `_sdc_deleted_at`: what is gone at the source."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

import pytest
from bridge.together import after_each
from staging import Stage, bookmark, record, schema

if TYPE_CHECKING:
    from bridge.destinations import DuckDB

TEXT = {"type": ["string", "null"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
GONE = "2026-01-01T00:00:00Z"


#: What each stream loads in its runs, with and without `hard_delete`; and those without the option.
RUNS: dict[str, list[list[Any]]] = {}
DEFAULT: dict[str, list[list[Any]]] = {}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[bool | None, list[DuckDB]]:
    """The file after each run, for each `hard_delete`. The first runs of all streams are one."""
    files = {}
    for hard_delete, streams in {None: RUNS | DEFAULT, True: RUNS, False: RUNS}.items():
        folder = tmp_path_factory.mktemp("versions")
        stage = Stage(folder, dict.fromkeys(streams, "INCREMENTAL"))
        runs = [list(chain(*lines)) for lines in zip_longest(*streams.values(), fillvalue=[])]
        files[hard_delete] = after_each(stage, *runs, options={"hard_delete": hard_delete})
    return files


def activation(version: int, stream: str = "a") -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": version}


def versioned(version: int, *numbers: int, v: str | None = None, stream: str = "a") -> list[Any]:
    return [{**record(stream, id=number, v=v), "version": version} for number in numbers]


KEYS = {"keyed": ("id",), "keyless": ()}
for name, keys in KEYS.items():
    head = schema(name, keys=keys, v=TEXT)
    DEFAULT[name] = [
        [head, record(name, id=0), *versioned(1, 1, 2, stream=name), activation(1, name)],
        [head, *versioned(1, 3, stream=name), activation(1, name)],
        [
            *[head, *versioned(2, 3, 4, v="new", stream=name), activation(2, name)],
            bookmark(**{name: {"x": 1}}),
        ],
        [head, *versioned(2, 5, stream=name)],
        [head, activation(3, name)],
    ]


@pytest.mark.parametrize("keys", KEYS.values())
def test_rows_of_older_versions_are_deleted_and_others_stay(
    files: dict[bool | None, list[DuckDB]], keys: tuple[str, ...]
) -> None:
    """As log-based taps do it: each run brings some rows, and says which version they are of."""
    first, second, third, _, last = files[None]
    table = f"data.{'keyed' if keys else 'keyless'}"
    ids = f"select id from {table} order by id"
    assert first.query(ids) == [(0,), (1,), (2,)]
    assert second.query(ids) == [(1,), (2,), (3,)]
    rows = third.query(f"select id, v from {table} order by id")
    assert rows == [(3, "new"), (4, "new")]
    assert last.query(ids) == []


DEFAULT["within"] = [
    [
        *[schema("within", v=TEXT), *versioned(1, 1, 2, stream="within"), activation(1, "within")],
        *[*versioned(2, 2, 3, stream="within"), activation(2, "within")],
    ]
]


def test_older_version_within_one_run_is_deleted_too(
    files: dict[bool | None, list[DuckDB]],
) -> None:
    assert files[None][0].query("select id from data.within order by id") == [(2,), (3,)]


DEFAULT["before"] = [
    [
        schema("before", keys=("id", "k"), k={"type": "string"}, v=TEXT),
        activation(version, "before"),
        {**record("before", id=version, k="x"), "version": version},
    ]
    for version in (1, 2)
]


def test_version_activated_before_its_rows(files: dict[bool | None, list[DuckDB]]) -> None:
    rows = files[None][1].query("select id, k, _sdc_table_version from data.before")
    assert rows == [(2, "x", 2)]


def test_versions_are_not_activated_if_the_user_appends(stage: Stage) -> None:
    for version in (1, 2):
        lines = [schema(v=TEXT), *versioned(version, 1), activation(version)]
        stage.load(lines, run={"write_disposition": "append"})
    assert stage.rows("select id, _sdc_table_version from data.a order by 2") == [(1, 1), (1, 2)]


ALL_VERSIONS = [(1, 1), (1, 2), (2, 2), (3, 3)]
for name, keys in (("all_keyed", ("id", "v")), ("all_keyless", ())):
    RUNS[name] = [
        [
            schema(name, keys=keys, v={"type": "string"}),
            *versioned(version, *numbers, v=str(version), stream=name),
            activation(version, name),
        ]
        for version, numbers in ((1, (1,)), (2, (1, 2)), (3, (3,)))
    ]


@pytest.mark.parametrize("keys", [("id", "v"), ()])
@pytest.mark.parametrize(
    ("hard_delete", "expected"), [(None, [(3, 3)]), (True, [(3, 3)]), (False, ALL_VERSIONS)]
)
def test_rows_of_older_versions_stay_only_without_hard_delete(
    files: dict[bool | None, list[DuckDB]],
    keys: tuple[str, ...],
    expected: list[Any],
    *,
    hard_delete: bool | None,
) -> None:
    """The Singer SDK's targets keep them by default, and mark them with `_sdc_deleted_at`."""
    table = f"data.{'all_keyed' if keys else 'all_keyless'}"
    rows = files[hard_delete][2].query(f"select id, _sdc_table_version from {table} order by 1, 2")
    assert rows == expected


SOFT, HARD = [(1, True), (2, False), (3, True), (4, False)], [(2, False), (4, False)]
DELETED = schema("deleted", _sdc_deleted_at=INSTANT)
CAME = {number: record("deleted", id=number) for number in (1, 2, 3, 4)}
WENT = {number: record("deleted", id=number, _sdc_deleted_at=GONE) for number in (1, 2, 3, 9)}
RUNS["deleted"] = [
    [DELETED, CAME[1], CAME[2], CAME[4]],
    [DELETED, CAME[3], WENT[1], WENT[2], WENT[3], CAME[2], WENT[9]],
]


@pytest.mark.parametrize(("hard_delete", "expected"), [(None, SOFT), (False, SOFT), (True, HARD)])
def test_deleted_records(
    files: dict[bool | None, list[DuckDB]], expected: list[Any], *, hard_delete: bool | None
) -> None:
    """One is deleted later, one comes again, one comes and goes in one run."""
    last = files[hard_delete][-1]
    columns = "id, _sdc_deleted_at is not null"
    rows = last.query(f"select {columns} from data.deleted where id < 9 order by id")
    assert rows == expected
    count = last.query("select count(*) from data.deleted where id = 9")
    assert count == [(int(not hard_delete),)]


def test_soft_deletes_after_hard_ones(stage: Stage) -> None:
    """dlt would remember that rows with a date are to be deleted."""
    head = schema(_sdc_deleted_at=INSTANT)
    stage.load([head, record(id=1), record(id=2)], options={"hard_delete": True})
    stage.load([head, record(id=1, _sdc_deleted_at=GONE)], options={"hard_delete": False})
    assert stage.rows("select id, _sdc_deleted_at is null from data.a order by id") == [
        (1, False),
        (2, True),
    ]

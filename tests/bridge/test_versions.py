"""ACTIVATE_VERSION and `_sdc_deleted_at`: what is gone at the source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from staging import bookmark, record, schema

if TYPE_CHECKING:
    from staging import Stage

TEXT = {"type": ["string", "null"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
GONE = "2026-01-01T00:00:00Z"


def activation(version: int) -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": "a", "version": version}


def versioned(version: int, *numbers: int, v: str | None = None) -> list[Any]:
    return [{**record(id=number, v=v), "version": version} for number in numbers]


@pytest.mark.parametrize("keys", [("id",), ()])
def test_rows_of_older_versions_are_deleted_and_others_stay(
    stage: Stage, keys: tuple[str, ...]
) -> None:
    """As log-based taps do it: each run brings some rows, and says which version they are of."""
    head = schema(keys=keys, v=TEXT)
    stage.load([head, record(id=0), *versioned(1, 1, 2), activation(1)])
    assert stage.rows("select id from data.a order by id") == [(0,), (1,), (2,)]
    stage.load([head, *versioned(1, 3), activation(1)])
    assert stage.rows("select id from data.a order by id") == [(1,), (2,), (3,)]
    stage.load([head, *versioned(2, 3, 4, v="new"), activation(2), bookmark(a={"x": 1})])
    assert stage.rows("select id, v from data.a order by id") == [(3, "new"), (4, "new")]
    stage.load([head, *versioned(2, 5)])
    stage.load([head, activation(3)])
    assert stage.rows("select id from data.a") == []


def test_older_version_within_one_run_is_deleted_too(stage: Stage) -> None:
    head = schema(v=TEXT)
    lines = [head, *versioned(1, 1, 2), activation(1), *versioned(2, 2, 3), activation(2)]
    stage.load(lines)
    assert stage.rows("select id from data.a order by id") == [(2,), (3,)]


def test_version_activated_before_its_rows(stage: Stage) -> None:
    head = schema(keys=("id", "k"), k={"type": "string"}, v=TEXT)
    one = {**record(id=1, k="x"), "version": 1}
    two = {**record(id=2, k="x"), "version": 2}
    stage.load([head, activation(1), one])
    stage.load([head, activation(2), two])
    assert stage.rows("select id, k, _sdc_table_version from data.a") == [(2, "x", 2)]


def test_versions_are_not_activated_if_the_user_appends(stage: Stage) -> None:
    for version in (1, 2):
        lines = [schema(v=TEXT), *versioned(version, 1), activation(version)]
        stage.load(lines, run={"write_disposition": "append"})
    assert stage.rows("select id, _sdc_table_version from data.a order by 2") == [(1, 1), (1, 2)]


ALL_VERSIONS = [(1, 1), (1, 2), (2, 2), (3, 3)]


@pytest.mark.parametrize("keys", [("id", "v"), ()])
@pytest.mark.parametrize(
    ("hard_delete", "expected"), [(None, [(3, 3)]), (True, [(3, 3)]), (False, ALL_VERSIONS)]
)
def test_rows_of_older_versions_stay_only_without_hard_delete(
    stage: Stage, keys: tuple[str, ...], expected: list[Any], *, hard_delete: bool | None
) -> None:
    """The Singer SDK's targets keep them by default, and mark them with `_sdc_deleted_at`."""
    head = schema(keys=keys, v={"type": "string"})
    for version, numbers in ((1, (1,)), (2, (1, 2)), (3, (3,))):
        lines = [head, *versioned(version, *numbers, v=str(version)), activation(version)]
        stage.load(lines, options={"hard_delete": hard_delete})
    rows = stage.rows("select id, _sdc_table_version from data.a order by 1, 2")
    assert rows == expected


SOFT, HARD = [(1, True), (2, False), (3, True), (4, False)], [(2, False), (4, False)]


@pytest.mark.parametrize(("hard_delete", "expected"), [(None, SOFT), (False, SOFT), (True, HARD)])
def test_deleted_records(stage: Stage, expected: list[Any], *, hard_delete: bool | None) -> None:
    """One is deleted later, one comes again, one comes and goes in one run."""
    head = schema(_sdc_deleted_at=INSTANT)
    options = {"hard_delete": hard_delete}
    stage.load([head, record(id=1), record(id=2), record(id=4)], options=options)
    gone = [record(id=number, _sdc_deleted_at=GONE) for number in (1, 2, 3)]
    lines = [head, record(id=3), *gone, record(id=2), record(id=9, _sdc_deleted_at=GONE)]
    stage.load(lines, options=options)
    rows = stage.rows("select id, _sdc_deleted_at is not null from data.a where id < 9 order by id")
    assert rows == expected
    assert stage.rows("select count(*) from data.a where id = 9")[0][0] == (not hard_delete)


def test_soft_deletes_after_hard_ones(stage: Stage) -> None:
    """dlt would remember that rows with a date are to be deleted."""
    head = schema(_sdc_deleted_at=INSTANT)
    stage.load([head, record(id=1), record(id=2)], options={"hard_delete": True})
    stage.load([head, record(id=1, _sdc_deleted_at=GONE)], options={"hard_delete": False})
    assert stage.rows("select id, _sdc_deleted_at is null from data.a order by id") == [
        (1, False),
        (2, True),
    ]

"""A load that PostgreSQL breaks off between two statements changes nothing, and is repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import record, schema

if TYPE_CHECKING:
    from staging import Stage

FIRST = [schema(v={"type": "integer"}), record(id=1, v=1), record(id=2, v=2)]
SECOND = [schema(v={"type": "integer"}), record(id=2, v=3), record(id=3, v=3)]
THIRD = [schema(v={"type": "integer"}), record(id=1, v=5), record(id=4, v=5)]

# The old rows of the keys are deleted by then.
REFUSAL = """
create function data.refuse() returns trigger language plpgsql as
$$ begin raise exception 'no insert'; end $$;
create trigger refusal before insert on data.a execute function data.refuse();
"""


@pytest.mark.parametrize(
    ("warehouse", "nested"),
    [("postgres", "json"), ("exact postgres", "json"), ("exact postgres", "tables")],
    indirect=["warehouse"],
)
def test_merge_broken_off_between_delete_and_insert_changes_nothing(
    anywhere: Stage, nested: str
) -> None:
    database: Any = anywhere.into
    options = {"nested": nested}
    anywhere.load(FIRST, options=options)
    database.execute(REFUSAL)
    with pytest.raises(PipelineStepFailed, match="no insert"):
        anywhere.load(SECOND, options=options)
    rows = "select id, v from data.a order by id"
    assert database.query(rows) == [(1, 1), (2, 2)]
    database.execute("drop trigger refusal on data.a")
    anywhere.pipeline.load()
    assert database.query(rows) == [(1, 1), (2, 3), (3, 3)]
    anywhere.load(THIRD, options=options)
    assert database.query(rows) == [(1, 5), (2, 3), (3, 3), (4, 5)]

"""Properties that a SCHEMA does not have are not loaded; a warning names those with a value."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, record, schema

from dlt_bridge.arrow.record_schema import MAX_UNKNOWN

if TYPE_CHECKING:
    from staging import Stage

END = bookmark(a={"x": 1})


def told_by(stage: Stage, caplog: pytest.LogCaptureFixture, *lines: Any) -> list[str]:
    """Load lines, and return the warnings of properties."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        stage.load([schema(), *lines, END])
    told = [record.getMessage() for record in caplog.records]
    return [text.partition("such as ")[2] for text in told if "not loaded, such as" in text]


def test_warning_names_properties_with_a_value(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [
        record(id=1, empty=None, late=None),
        record(id=2, early=1, empty=None),
        record(id=3, late=False),
    ]
    assert told_by(stage, caplog, *lines) == ["`early`, `late`."]
    assert stage.rows("select id from data.a order by id") == [(1,), (2,), (3,)]
    # A second run knows nothing of the first one, and tells only of its own records.
    assert told_by(stage, caplog, record(id=4, empty=None, early=None)) == []
    assert told_by(stage, caplog, record(id=5, empty=[])) == ["`empty`."]
    assert stage.rows("select count(*) from data.a") == [(5,)]


def test_name_that_no_struct_can_have(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    values: list[dict[str, Any]] = [{"a\nb": None}, {"a\nb": 1}]
    lines = [record(id=number, **value) for number, value in enumerate(values)]
    assert told_by(stage, caplog, *lines[:1]) == []
    assert told_by(stage, caplog, *lines) == ["`a\nb`."]


def test_property_that_a_record_has_twice(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    twice = '{"type": "RECORD", "stream": "a", "record": {"id": 2, "more": 1, "more": null}}'
    assert told_by(stage, caplog, record(id=1, more=None), twice) == ["`more`."]
    assert stage.rows("select count(*) from data.a") == [(2,)]


@pytest.mark.parametrize("value", [1, None])
def test_more_properties_than_are_noted(
    stage: Stage, caplog: pytest.LogCaptureFixture, value: Any
) -> None:
    """The warning names the first ones, and a wrong record is an error as ever."""
    more = {f"p{number:03}": value for number in range(MAX_UNKNOWN + 50)}
    (named,) = told_by(stage, caplog, record(id=1, **more), record(id=2, **more))
    assert named.count("`") == 2 * MAX_UNKNOWN
    assert stage.rows("select count(*) from data.a") == [(2,)]
    with pytest.raises(PipelineStepFailed, match=r"lacks the property `id`"):
        stage.load([schema(), record(**more), END])

"""The settings of targets of the Meltano SDK: they do what those targets do."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from bridge.target_command import Target, as_bytes
from interop.environments import program
from singer_sdk.exceptions import ConfigValidationError
from staging import bookmark, record, schema

from dlt_bridge.errors import BridgeError
from dlt_bridge.target.target import TargetDlt

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.command_line import Command

TEXT = {"type": ["string", "null"]}
#: Two runs, with a change between: the second row has another value, and there is a third one.
FIRST = [schema(v=TEXT), record(id=1, v="a"), record(id=2, v="b"), bookmark(a={"x": 2})]
SECOND = [schema(v=TEXT), record(id=2, v="changed"), record(id=3, v="c"), bookmark(a={"x": 3})]


def load_as_process(
    folder: Path, messages: list[Any], name: str, **settings: Any
) -> subprocess.CompletedProcess[bytes]:
    """Load messages into the file of a folder, by target-dlt or target-duckdb."""
    if name == "target-dlt":
        return Target(folder)(messages, dataset_name=None, **settings)
    (folder / "target.json").write_text(
        json.dumps({"filepath": str(folder / "w.duckdb"), **settings})
    )
    command = [program(name, name), "--config", str(folder / "target.json")]
    return subprocess.run(command, input=as_bytes(messages), capture_output=True, check=False)


def load(folder: Path, messages: list[Any], **settings: Any) -> subprocess.CompletedProcess[bytes]:
    return Target(folder).within(
        messages, dataset_name=None, default_target_schema="chats", **settings
    )


def rows(folder: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as database:
        return database.execute("select id, v from chats.a order by all").fetchall()


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("append-only", [(1, "a"), (2, "b"), (2, "changed"), (3, "c")]),
        ("upsert", [(1, "a"), (2, "changed"), (3, "c")]),
        (None, [(1, "a"), (2, "changed"), (3, "c")]),
    ],
)
def test_load_method_of_the_sdk(
    tmp_path: Path, method: str | None, expected: list[tuple[Any, ...]]
) -> None:
    for messages in (FIRST, SECOND):
        run = load(tmp_path, messages, load_method=method)
        assert run.returncode == 0, run.stderr
    assert rows(tmp_path) == expected


def test_schema_and_keys_are_those_of_target_duckdb(tmp_path: Path) -> None:
    found = []
    for name in ("target-dlt", "target-duckdb"):
        folder = tmp_path / name
        folder.mkdir()
        for messages in (FIRST, SECOND):
            run = load_as_process(folder, messages, name, default_target_schema="chats")
            assert run.returncode == 0, run.stderr
        found.append(rows(folder))
    assert found[0] == found[1] == [(1, "a"), (2, "changed"), (3, "c")]


def test_batches_of_so_many_rows_are_committed(tmp_path: Path) -> None:
    messages: list[Any] = [schema(v=TEXT)]
    for number in range(6):
        messages += [record(id=number, v="a"), bookmark(a={"x": number})]
    run = load(tmp_path, messages, batch_size_rows=2)
    assert run.returncode == 0, run.stderr
    # A STATE for each two rows; without the setting, there is one for all.
    states = [json.loads(line)["bookmarks"]["a"]["x"] for line in run.stdout.splitlines()]
    assert states == [1, 3, 5]
    again = load(tmp_path, messages, batch_size_rows=100)
    assert len(again.stdout.splitlines()) == 1


@pytest.mark.parametrize("validated", [True, False])
def test_records_are_validated_if_the_setting_says_so(tmp_path: Path, validated: bool) -> None:  # noqa: FBT001
    settings = {"validate_records": validated}
    number = {"type": ["integer", "null"]}
    first = load(tmp_path, [schema(v=number), record(id=1, v=1), bookmark(a={"x": 1})], **settings)
    assert first.returncode == 0, first.stderr
    messages = [schema(v=number), record(id=2, v="4111"), bookmark(a={"x": 2})]
    second = load(tmp_path, messages, **settings)
    assert second.returncode == (1 if validated else 0), second.stderr
    assert rows(tmp_path) == ([(1, 1)] if validated else [(1, 1), (2, None)])
    assert b"4111" not in second.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dataset_name": "a", "default_target_schema": "b"}, "`dataset_name` and `default_"),
        ({"write_disposition": "append", "load_method": "upsert"}, "`write_disposition` and `load"),
        ({"write_disposition": "merge", "load_method": "append-only"}, "contradict each other"),
        ({"schema_contract": "freeze", "validate_records": True}, "contradict each other"),
        ({"load_method": "overwrite"}, "`load_method` can't be `overwrite`"),
        ({"load_method": "truncate"}, "append-only"),
        ({"batch_size_rows": 0}, "batch_size_rows"),
    ],
)
def test_settings_that_contradict_each_other_are_an_error(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises((BridgeError, ConfigValidationError)) as error:
        TargetDlt(config={"destination": "duckdb"} | settings)
    assert words in str([error.value, *getattr(error.value, "errors", ())])


def test_command_line_takes_the_names_of_the_sdk(dlt: Command) -> None:
    names = ["--default-target-schema", "chats", "--batch-size-rows", "1"]
    for method, times in (("append-only", 1), ("append-only", 2), ("overwrite", 1)):
        dlt.run(FIRST, *names, "--load-method", method)
        found = dlt.rows("select id, count(*) from chats.a group by all order by all")
        assert found == [(1, times), (2, times)]
    both = ["--load-method", "upsert", "--write-disposition", "append"]
    assert dlt("singer", "run", dlt.plays(FIRST), *both).returncode == 2
    twice = ["--dataset", "a", "--default-target-schema", "b"]
    assert dlt("singer", "run", dlt.plays(FIRST), *twice).returncode == 2

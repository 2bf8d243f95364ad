"""`target-dlt` as Meltano runs it: a process with messages on its standard input."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest
from bridge.destinations import DATASET, Postgres
from bridge.target_command import Target, as_bytes, states
from deltalake import DeltaTable
from running import BIN
from singer_sdk.exceptions import SingerSDKError
from staging import bookmark, record, schema

from dlt_bridge import sentence as sentence_of
from dlt_bridge import singer
from dlt_bridge.target.settings import SETTINGS
from dlt_bridge.target.target import TargetDlt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.destinations import Warehouse

TEXT = {"type": ["string", "null"]}
MESSAGE_TEXT = "my card is 4111"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


@pytest.fixture(autouse=True)
def working_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of a run stays where temporary files are."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    yield
    assert list(folder.iterdir()) == []


def counting(first: int, last: int) -> list[Any]:
    """Return lines with one record a STATE."""
    lines: list[Any] = [schema(v=TEXT)]
    for number in range(first, last + 1):
        lines += [record(id=number, v=MESSAGE_TEXT), bookmark(a={"x": number})]
    return lines


def test_rows_are_loaded_and_the_last_state_is_written(target: Target) -> None:
    run = target(counting(1, 3))
    assert run.returncode == 0, run.stderr
    assert states(run) == [{"bookmarks": {"a": {"x": 3}}}]
    assert target.rows("select id, v from data.a order by id") == [
        (number, MESSAGE_TEXT) for number in (1, 2, 3)
    ]


def test_each_checkpoint_writes_its_state(target: Target) -> None:
    run = target.within(counting(1, 3), checkpoint_every=0)
    assert states(run) == [{"bookmarks": {"a": {"x": number}}} for number in (1, 2, 3)]


def test_state_is_written_only_after_its_rows_are_committed(target: Target) -> None:
    """The reader of a STATE finds its rows: the target waits for more lines then."""
    with subprocess.Popen(
        target.command(checkpoint_every=0), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in (1, 2):
            lines = counting(number, number)
            process.stdin.write(as_bytes(lines if number == 1 else lines[1:]))
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["bookmarks"]["a"]["x"] == number
            found = subprocess.check_output([sys.executable, "-c", COUNT, str(target.file)])
            assert int(found) == number
        process.stdin.close()
        assert process.wait() == 0


# The target may hold the file open for a short time: see `checkpoints.Run`.
COUNT = """
import sys, duckdb
while True:
    try:
        connection = duckdb.connect(sys.argv[1], read_only=True)
        break
    except duckdb.IOException as error:
        assert "lock" in str(error)
print(connection.execute("select count(*) from data.a").fetchall()[0][0])
"""


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(as_bytes([record(id=9)])[:-9], id="within a record"),
        pytest.param(b'{"type": "STA', id="within a STATE"),
        pytest.param(b"Traceback (most recent call last):\n", id="with something else"),
    ],
)
def test_broken_input_commits_what_is_before_the_last_state(target: Target, broken: bytes) -> None:
    run = target.within(as_bytes(counting(1, 2)) + broken, checkpoint_every=0)
    assert run.returncode == 1
    assert states(run) == [{"bookmarks": {"a": {"x": number}}} for number in (1, 2)]
    assert target.rows("select id from data.a order by id") == [(1,), (2,)]
    assert b"Traceback (most" not in run.stderr
    # Before the first checkpoint is due, too.
    fresh = Target(target.folder / "fresh")
    fresh.folder.mkdir()
    run = fresh.within(as_bytes([*counting(1, 2), record(id=3)]) + broken)
    assert run.returncode == 1
    assert states(run) == [{"bookmarks": {"a": {"x": 2}}}]
    assert fresh.rows("select id from data.a order by id") == [(1,), (2,)]


def test_input_may_end_with_records_after_its_last_state(target: Target) -> None:
    """So a run of the SDK's taps ends that finds nothing new, or whose last table is read whole."""
    lines = [*counting(1, 1), *(record(id=number) for number in range(2, 10_003))]
    for _ in range(3):
        run = target.within(lines)
        assert run.returncode == 0, run.stderr
        assert states(run) == [{"bookmarks": {"a": {"x": 1}}}]
        assert target.rows("select count(*), max(id) from data.a") == [(10_002, 10_002)]


def test_state_is_written_as_it_was_read(target: Target) -> None:
    value = '{"bookmarks": {"a": {"x": 1.10, "big": 123456789012345678}},  "ü": "\\u00fc"}'
    lines = as_bytes([schema(), record(id=1)]) + b'{"value": %b, "type": "STATE"}' % value.encode()
    run = target.within(lines)
    assert run.returncode == 0, run.stderr
    assert run.stdout.decode() == value + "\n"


def test_input_without_any_state_is_loaded(target: Target) -> None:
    run = target.within([schema(), record(id=1)])
    assert (run.returncode, run.stdout) == (0, b"")
    assert target.rows("select id from data.a") == [(1,)]


def test_empty_input_is_not_an_error(target: Target) -> None:
    assert target(b"").returncode == 0


def test_pipeline_may_have_the_name_of_a_tap(target: Target) -> None:
    for _ in range(2):
        assert target.within(counting(1, 2), pipeline_name="tap-chat").returncode == 0
    assert target.rows("select id from data.a order by id") == [(1,), (2,)]


def test_second_run_merges(target: Target) -> None:
    target.within(counting(1, 2))
    lines = [schema(v=TEXT), record(id=2, v="new"), record(id=3, v="x"), bookmark(a={"x": 3})]
    assert target.within(lines).returncode == 0
    found = target.rows("select id, v from data.a order by id")
    assert found == [(1, MESSAGE_TEXT), (2, "new"), (3, "x")]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_stopped_target_says_so_and_commits_nothing_more(target: Target, signum: int) -> None:
    with subprocess.Popen(
        target.command(checkpoint_every=0), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(as_bytes([*counting(1, 1), record(id=2)]))
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"bookmarks": {"a": {"x": 1}}}
        process.send_signal(signum)
        assert process.wait() == 128 + signum
    assert target.rows("select id from data.a") == [(1,)]


def test_closed_output_is_an_error_after_the_commit(target: Target) -> None:
    """Nobody takes the STATE, so it would not be known that the rows are there."""
    script = f"{' '.join(target.command())} | true; exit ${{PIPESTATUS[0]}}"
    run = subprocess.run(
        ["bash", "-c", script], input=as_bytes(counting(1, 1)), capture_output=True, check=False
    )
    assert run.returncode == 1
    assert b"output is closed" in run.stderr


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"destination": None},
            "| The setting `destination` is missing.",
        ),
        ({"destination": "duckdbb"}, "There is no such destination. Did you mean `duckdb`?"),
        ({"destination": "s3cret"}, "There is no such destination. dlt has: athena,"),
        ({"loader_file_format": "csv"}, "takes no csv files. It takes: insert_values, "),
        ({"destination": "bigquery"}, "pip install 'dlt[bigquery]'"),
        ({"destination": "postgres", "credentials": "s3cret"}, "can't be read. They look like"),
        ({"destination": "postgres", "credentials": None}, "DESTINATION__POSTGRES__CREDENTIALS"),
        (
            {"destination": "postgres", "credentials": "postgresql://u:s3cret@127.0.0.1:1/d"},
            "The destination can't be used: connection to server at",
        ),
        ({"credentials": "/nowhere/s3cret.duckdb"}, "No such file or directory"),
        ({"credentials": 5}, "The setting `credentials` is neither a text nor an object."),
        ({"credentials": "{s3cret"}, "The setting `credentials` begins as an object"),
        ({"pipeline_name": ""}, "`pipeline_name` is wrong: it must be a text that is not empty."),
        ({"checkpoints": 5}, "There is no setting `checkpoints`. Did you mean `checkpoint_every`?"),
        ({"nested": "s3cret"}, "`nested` is wrong: it must be `json` or `native` or `tables`."),
        (
            {"destination": "filesystem", "credentials": "/tmp/x"},
            'take the rows as they come (write_disposition="append")',
        ),
    ],
)
def test_wrong_setting_is_one_sentence(
    target: Target, settings: dict[str, Any], sentence: str
) -> None:
    run = target.within(counting(1, 1), **settings)
    assert (run.returncode, run.stdout) == (1, b"")
    said = run.stderr.decode()
    assert sentence in said
    assert "Traceback" not in said
    assert MESSAGE_TEXT not in said
    if not str(settings.get("credentials")).startswith("/"):
        assert "s3cret" not in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "can't be read: No such file or directory."),
        (b"{s3cret", "is not valid JSON: line 1, column 2."),
        (b"\xff\xfe", "is not valid JSON: line 1, column 1."),
        (b"", "is not valid JSON: line 1, column 1."),
        (b'["s3cret"]', "is not a JSON object."),
    ],
)
def test_unreadable_config_is_one_sentence(
    target: Target, content: bytes | None, sentence: str
) -> None:
    path = target.folder / "c.json"
    if content is not None:
        path.write_bytes(content)
    command = [str(BIN / "target-dlt"), "--config", str(path)]
    run = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"The config file {path} {sentence}" in run.stderr
    assert "Traceback" not in run.stderr
    assert "s3cret" not in run.stderr


def test_target_without_dlt_says_what_to_install() -> None:
    block = "import sys; sys.modules['dlt'] = None"
    code = f"{block}; from dlt_bridge.target.__main__ import target; target()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("target-dlt needs dlt, which is not installed. Install the extra")


def test_error_of_a_contract_names_what_it_refuses(target: Target) -> None:
    target.within(counting(1, 1))
    lines = [schema(v=TEXT, w=TEXT), record(id=2, w=MESSAGE_TEXT), bookmark(a={"x": 2})]
    run = target.within(lines, schema_contract={"columns": "freeze"})
    assert (run.returncode, run.stdout) == (1, b"")
    assert b"The schema contract (columns: freeze) refuses" in run.stderr
    assert b"column `w` of table `a`" in run.stderr
    assert MESSAGE_TEXT.encode() not in run.stderr
    assert target.rows("select id from data.a") == [(1,)]


def test_file_that_another_program_has_open_is_named(target: Target) -> None:
    with duckdb.connect(str(target.file)):
        run = target(counting(1, 1))
    assert run.returncode == 1
    assert f"{target.file} is open in another program (process {os.getpid()})" in str(run.stderr)


def test_settings_come_from_the_environment(target: Target) -> None:
    environment = os.environ | {
        "TARGET_DLT_DESTINATION": "duckdb",
        "TARGET_DLT_CREDENTIALS": str(target.file),
        "TARGET_DLT_DATASET_NAME": DATASET,
        "TARGET_DLT_CHECKPOINT_EVERY": "0",
        "TARGET_DLT_SCHEMA_CONTRACT": '{"data_type": "freeze"}',
    }
    run = subprocess.run(
        [str(BIN / "target-dlt"), "--config", "ENV"],
        input=as_bytes(counting(1, 2)),
        env=environment,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert len(states(run)) == 2
    assert len(target.rows("select id from data.a")) == 2


def test_messages_may_come_from_a_file(target: Target) -> None:
    path = target.folder / "messages.jsonl"
    path.write_bytes(as_bytes(counting(1, 2)))
    run = subprocess.run([*target.command(), "--input", str(path)], check=False)
    assert run.returncode == 0
    assert len(target.rows("select id from data.a")) == 2


@pytest.mark.parametrize("normalized", [False, True])
def test_package_of_a_killed_run_is_not_loaded_later(target: Target, *, normalized: bool) -> None:
    """Its STATE was not passed on, so the tap sends the same again; twice would be two rows."""
    folder = str(target.folder / "pipelines")
    before = [schema(keys=(), v=TEXT), record(id=0), bookmark(a={"x": 0})]
    assert target.within(before, pipelines_dir=folder).returncode == 0
    lines = [schema(keys=(), v=TEXT), record(id=1), bookmark(a={"x": 1})]
    killed = dlt.pipeline(
        "target_dlt",
        pipelines_dir=folder,
        destination=dlt.destinations.duckdb(str(target.file)),
        dataset_name=DATASET,
    )
    killed.extract(singer(as_bytes(lines).splitlines(), name="target_dlt"))
    if normalized:
        killed.normalize()
    assert killed.has_pending_data
    run = target.within(lines, pipelines_dir=folder)
    assert run.returncode == 0, run.stderr
    assert target.rows("select id from data.a order by id") == [(0,), (1,)]


@pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
def test_credentials_may_be_an_object(target: Target, warehouse: Warehouse) -> None:
    assert isinstance(warehouse, Postgres)
    user, _, rest = warehouse.url.removeprefix("postgresql://").partition("@")
    host, _, database = rest.partition("/")
    name, _, port = host.partition(":")
    credentials = {
        "username": user.partition(":")[0],
        "password": user.partition(":")[2] or None,
        "host": name,
        "port": int(port),
        "database": database,
    }
    run = target.within(counting(1, 2), destination="postgres", credentials=credentials)
    assert run.returncode == 0, run.stderr
    assert warehouse.read("a", "id", "v") == [(1, MESSAGE_TEXT), (2, MESSAGE_TEXT)]


def test_delta_tables_are_merged(target: Target, tmp_path: Path) -> None:
    settings = {
        "destination": "filesystem",
        "credentials": str(tmp_path / "files"),
        "table_format": "delta",
    }
    for last in (2, 3):
        assert target.within(counting(1, last), **settings).returncode == 0
    table = DeltaTable(tmp_path / "files" / DATASET / "a").to_pyarrow_table()
    assert sorted(table["id"].to_pylist()) == [1, 2, 3]


SMALL_DISK = """
set -e
mount -t tmpfs -o size=2m none {disk}
{command}
"""
IN_OWN_NAMESPACE = ["unshare", "--map-root-user", "--mount"]


@pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run([*IN_OWN_NAMESPACE, "true"], capture_output=True, check=False).returncode
    != 0,
    reason="no disk of its own can be had",
)
@pytest.mark.parametrize("full", ["destination", "working files"])
def test_full_disk_is_one_sentence(target: Target, full: str) -> None:
    disk = target.folder / "disk"
    disk.mkdir()
    rows = [record(id=number, v=secrets.token_hex(200)) for number in range(20_000)]
    lines = [schema(v=TEXT), *rows, bookmark(a={"x": 1})]
    settings = {"credentials": str(disk / "w.duckdb")} if full == "destination" else {}
    command = " ".join(target.command(**settings))
    if full == "working files":
        command = f"TMPDIR={disk} {command}"
    run = subprocess.run(
        [*IN_OWN_NAMESPACE, "sh", "-c", SMALL_DISK.format(disk=disk, command=command)],
        input=as_bytes(lines),
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (1, b"")
    assert b"No space is left on the disk." in run.stderr
    assert b"Traceback" not in run.stderr
    assert rows[0]["record"]["v"].encode() not in run.stderr


def closing(
    target: Target, redirection: str, before: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Run the target with something closed."""
    command = " ".join(target.command())
    return subprocess.run(
        ["bash", "-c", f"{before} {command} {redirection}"],
        input=as_bytes(counting(1, 1)),
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("redirection", "before", "sentence"),
    [
        (">&-", "", b"Standard output is closed: there is nowhere to pass the STATE on to."),
        ("<&-", "", b"Standard input is closed: there is nothing to load."),
        (
            "",
            "mkdir $TMPDIR/x; cd $TMPDIR/x; rmdir $TMPDIR/x;",
            b"The working folder no longer exists",
        ),
    ],
)
def test_closed_stream_or_missing_folder_is_one_sentence(
    target: Target, redirection: str, before: str, sentence: bytes
) -> None:
    run = closing(target, redirection, before)
    assert (run.returncode, run.stdout) == (1, b"")
    assert sentence in run.stderr
    assert len([line for line in run.stderr.splitlines() if b"Docs: " not in line]) == 1
    assert not target.file.exists()


def test_closed_standard_error_keeps_no_row_from_being_loaded(target: Target) -> None:
    run = closing(target, "2>&-")
    assert run.returncode == 0
    assert states(run) == [{"bookmarks": {"a": {"x": 1}}}]
    assert target.rows("select id from data.a") == [(1,)]


#: As Meltano sets up the log of a plugin of which it does not know that it can tell levels.
LOG_OF_MELTANO = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"default": {"format": "%(message)s"}},
    "handlers": {
        "default": {
            "class": "logging.StreamHandler",
            "formatter": "default",
            "stream": "ext://sys.stderr",
        }
    },
    "root": {"level": "INFO", "handlers": ["default"]},
}


def test_log_shows_what_was_loaded_and_where(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = target.folder / "log.json"
    path.write_text(json.dumps(LOG_OF_MELTANO))
    monkeypatch.setenv("SINGER_SDK_LOG_CONFIG", str(path))
    lines = [*counting(1, 2), schema("b"), *(record("b", id=number) for number in range(1000))]
    run = target([*lines, bookmark(a={"x": 3})])
    where = f"duckdb:///{target.file}, dataset {DATASET}."
    assert run.stderr.decode() == f"Loaded 1,002 rows of 2 streams into {where}\n"
    run = target([schema("b\x1b[1m\nERROR: forged"), record("c", id=1)])
    said, link = run.stderr.decode().splitlines()
    assert said.startswith("ERROR: ")
    assert link.startswith("Docs: ")
    assert "\x1b" not in said


CANARY = "MY-REAL-SECRET"
#: Settings in which a text is the name of a place, where it may be, and is not seen to be wrong.
PLACES = {
    "credentials", "dataset_name", "default_target_schema", "pipelines_dir", "pipeline_name",
}  # fmt: skip
#: By the type of a setting, what is wrong for it.
WRONG_VALUES: dict[str, list[Any]] = {
    "string": [[CANARY], {"inner": CANARY}, 10**400, CANARY, CANARY * 5000],
    "integer": [[CANARY], {"inner": CANARY}, CANARY, CANARY * 5000],
    "boolean": [[CANARY], {"inner": CANARY}, CANARY, CANARY * 5000],
    "object": [[CANARY], CANARY, CANARY * 5000, {"inner": CANARY}],
    "array": [{"inner": CANARY}, [[CANARY]], [{"inner": CANARY}]],
}


@pytest.mark.parametrize("way", ["config", "environment", ".env"])
def test_no_value_of_a_setting_is_in_an_error(
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    """Within this process, as a process for each would take minutes."""
    monkeypatch.chdir(target.folder)
    caplog.set_level("INFO")
    # The target's handlers are for a process of its own.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    refused = set()
    for name, setting in SETTINGS["properties"].items():
        kind = next(kind for kind in setting["type"] if kind != "null")
        for value in WRONG_VALUES[kind]:
            if name in PLACES and (way != "config" or isinstance(value, (str, dict))):
                continue
            given = {"destination": "duckdb", "credentials": "w.duckdb"}
            text = value if isinstance(value, str) else json.dumps(value)
            variable = f"TARGET_DLT_{name}".upper()
            with monkeypatch.context() as changed:
                if way == "config":
                    given[name] = value
                elif way == "environment":
                    changed.setenv(variable, text)
                else:
                    (target.folder / ".env").write_text(f"{variable}='{text}'\n")
                try:
                    TargetDlt(config=given, parse_env_config=way != "config").load(
                        BytesIO(as_bytes([schema(), record(id=1)]))
                    )
                except Exception as error:  # noqa: BLE001 - what the command would say of it
                    refused.add(name)
                    refusal = isinstance(error, SingerSDKError)
                    said = str(error) if refusal else sentence_of(error)
                    assert CANARY not in said, (name, value)
                    assert "Unexpected" not in said, (name, value, said)
    assert CANARY not in caplog.text
    every = set(SETTINGS["properties"])
    # In the environment, every value is a text, and every text is an account.
    assert refused >= (every if way == "config" else every - PLACES - {"account"})

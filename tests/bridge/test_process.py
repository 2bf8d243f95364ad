"""A tap is stopped with the processes that it started, and errors show its log."""

from __future__ import annotations

import fcntl
import signal
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from staging import record, schema

from dlt_bridge import MessageError, TapError
from dlt_bridge.run.checkpoints import committed_packages
from dlt_bridge.tap import child_process, stderr
from dlt_bridge.tap.process import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from staging import Stage

TAP = """
import fcntl, os, signal, subprocess, sys
from pathlib import Path
config = Path(sys.argv[sys.argv.index("--config") + 1])
lock = open({lock!r}, "w")
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def tap(folder: Path, code: str, *, shell: bool = False, **options: Any) -> Tap:
    """Return a tap that runs this code; within a shell, as wrappers do that are no `exec`."""
    script = folder / "code.py"
    script.write_text(TAP.format(lock=str(folder / "lock")) + code)
    command = [sys.executable, str(script)]
    if shell:
        text = f'{sys.executable} {script} "$@"\nexit $?'
        command = ["sh", "-c", text, "tap"]
    return Tap(command, {"password": "s3cret-s3cret", "url": "https://x.example/a"}, **options)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no process holds the lock, then hold it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read(tap: Tap) -> list[bytes]:
    with tap.running() as lines:
        return list(lines)


def refuse_first_line(tap: Tap) -> None:
    with tap.running() as lines:
        next(lines)
        raise MessageError("Line 1 is not a Singer message.")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_tap_starts_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signum: int
) -> None:
    start, started = child_process._start, []

    def interrupted(command: Any) -> Any:
        started.append(start(command))
        signal.raise_signal(signum)
        return started[0]

    monkeypatch.setattr(child_process, "_start", interrupted)
    signal.signal(signum, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        read(tap(tmp_path, "signal.pause()"))
    assert started[0].poll() is not None


def test_config_is_removed_after_the_first_line(tmp_path: Path) -> None:
    """A kill after the first line leaves no credentials behind."""
    code = """
assert config.exists()
print("first", flush=True)
while config.exists():
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.sigwait({signal.SIGALRM})
"""
    blocked = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\n"
    assert read(tap(tmp_path, blocked + code)) == [b"first\n"]


@pytest.mark.parametrize("shell", [False, True])
def test_tap_is_stopped_with_what_it_started(tmp_path: Path, lock: Path, *, shell: bool) -> None:
    code = 'fcntl.flock(lock, fcntl.LOCK_EX); print("first", flush=True); signal.pause()'
    with pytest.raises(MessageError):
        refuse_first_line(tap(tmp_path, code, shell=shell))
    with locked(lock):
        pass


def test_tap_that_ignores_sigterm_is_stopped(
    tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(stderr, "GRACE_SECONDS", 0.1)
    code = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
fcntl.flock(lock, fcntl.LOCK_EX)
print("first", flush=True)
while True: signal.pause()
"""
    with pytest.raises(MessageError):
        refuse_first_line(tap(tmp_path, code))
    with locked(lock):
        pass


def test_tap_that_continues_without_output_is_stopped(tmp_path: Path, lock: Path) -> None:
    code = """
fcntl.flock(lock, fcntl.LOCK_EX)
os.close(1)
os.kill(os.getppid(), signal.SIGINT)
signal.pause()
"""
    with pytest.raises(KeyboardInterrupt):
        read(tap(tmp_path, code))
    with locked(lock):
        pass


def test_process_that_a_tap_leaves_behind_does_not_block_the_run(
    tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(stderr, "GRACE_SECONDS", 0.1)
    code = """
wait = f"import fcntl; fcntl.flock(open({lock.name!r}), fcntl.LOCK_SH)"
subprocess.Popen([sys.executable, "-c", wait], stdout=subprocess.DEVNULL)
print("first")
"""
    with locked(lock):
        assert read(tap(tmp_path, code)) == [b"first\n"]


def test_tap_that_fails_within_a_line_gives_its_own_error(tmp_path: Path) -> None:
    code = 'print("half", end=""); sys.exit("no more quota")'
    with pytest.raises(TapError, match=r"exit code 1(.|\n)*no more quota") as failed:
        refuse_first_line(tap(tmp_path, code))
    assert isinstance(failed.value.__cause__, MessageError)


def test_error_shows_a_limited_part_of_standard_error(tmp_path: Path) -> None:
    code = 'sys.stderr.write("x" * 5_000_000 + "the end"); sys.exit(1)'
    with pytest.raises(TapError, match="the end") as failed:
        read(tap(tmp_path, code))
    assert len(str(failed.value)) < 25_000


def test_script_without_a_shebang_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "tap-text"
    script.write_text("print(1)")
    script.chmod(stat.S_IRWXU)
    with pytest.raises(TapError, match="tap-text can't be run"):
        Tap(str(script), {}).discover()


#: Lines as loggers of several kinds write them, and what is passed on of each.
LOGGED = {
    "WARNING waits 42 s": "waits 42 s",
    "2026-11-28 09:59:27,359 | WARNING  | tap-x.stream   | a | b": "a | b",
    "time=2026-11-28 09:59:27 name=singer level=WARNING message=slow": "slow",
    "WARNING:root:plain": "plain",
    "[WARN] (main) java": "(main) java",
    '{"level": "warning", "event": "of structlog"}': "of structlog",
    '{"level": 40, "msg": "of pino"}': "of pino",
    "2026-11-28 | ERROR    | tap-x | continued": "continued",
    "INFO METRIC: {'value': 'WARNING'}": "",
    "2026-11-28 | INFO     | tap-x | no WARNING": "",
    '{"level": "info", "message": "WARNING"}': "",
    "  File ERRORS.py": "",
    "{'no': 'json', WARNING_x": "",
}


def test_warnings_of_a_tap_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """So are the errors of a tap that does not fail; those of a failed tap are in its error."""
    made = tap(tmp_path, f'print({chr(10).join(LOGGED)!r}, file=sys.stderr); print("first")')
    assert read(made) == [b"first\n"]
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    expected = [text for text in LOGGED.values() if text]
    name = made.name
    assert said == [f"{name}: {text}" for text in expected]
    assert made.warnings == len(expected)
    caplog.clear()
    # What discovery has said is not said once more.
    read(made)
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


def test_similar_warnings_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = """
for number in range(20_000):
    print(f"WARNING record {number} of 's{number}'", file=sys.stderr)
"""
    made = tap(tmp_path, code)
    read(made)
    assert made.warnings == 20_000
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said[4:] == [
        f"{made.name}: record 4 of 's4'",
        f"{made.name}: 19995 more like: record 0 of 's0'",
    ]


def test_committed_packages_count_warnings(stage: Stage) -> None:
    source = stage.source([schema(), record(id=1)], stderr="WARNING odd\nINFO even\nERROR 1")
    [done] = committed_packages(stage.pipeline, source)
    assert done.warnings == 2


def test_error_starts_with_the_errors_of_the_tap(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = """
print("2026-11-28 | ERROR | tap-x | the key is wrong", file=sys.stderr)
for _ in range(50): print("INFO METRIC: {}", file=sys.stderr)
sys.exit("that was it")
"""
    with pytest.raises(TapError) as failed:
        read(tap(tmp_path, code))
    shown = str(failed.value).partition("its log:\n")[2].splitlines()
    assert shown == ["the key is wrong", "that was it"]
    assert "the key" not in "".join(
        record.getMessage() for record in caplog.records if record.levelname == "WARNING"
    )


def test_values_of_settings_are_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    code = """
print("WARNING bad s3cret-s3cret", file=sys.stderr)
sys.exit("https://x.example/a?key=s3cret-s3cret was refused")
"""
    with caplog.at_level("DEBUG"), pytest.raises(TapError) as failed:
        read(tap(tmp_path, code))
    assert "https://x.example/a?key=*** was refused" in str(failed.value)
    assert "bad ***" in caplog.text
    assert "s3cret" not in caplog.text + str(failed.value)


def test_names_of_streams_are_shown(tmp_path: Path) -> None:
    program = tap(tmp_path, 'sys.exit("Stream api_ratings of s3cret-s3cret can\'t be read")')
    section = {
        "optional": ["api_ratings"],
        "extra_streams": ["api_ratings"],
        "key": "s3cret-s3cret",
    }
    with pytest.raises(TapError, match=r"Stream api_ratings of \*\*\* can't be read"):
        read(Tap(program.command, {"api": section}))


def test_taps_get_no_credentials_of_destinations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"TAP_X_PASSWORD": "1", "GOOGLE_APPLICATION_CREDENTIALS": "2", "RESOURCES": "3"}
    dropped = [
        "DESTINATION__POSTGRES__CREDENTIALS",
        "MY_PIPELINE__DESTINATION__CREDENTIALS__PASSWORD",
        "SOURCES__SINGER__OTHER__CONFIG",
        "CREDENTIALS",
        "DLT_SECRETS_TOML",
        "TARGET_DLT_CREDENTIALS",
    ]
    for name in [*kept, *dropped]:
        monkeypatch.setenv(name, kept.get(name, "secret"))
    code = f"print([os.environ.get(name) for name in {[*kept, *dropped]!r}])"
    assert read(tap(tmp_path, code)) == [f"{[*kept.values(), *([None] * len(dropped))]}\n".encode()]


def test_tap_that_closes_its_output_must_end_in_time(
    tmp_path: Path, lock: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = """
fcntl.flock(lock, fcntl.LOCK_EX)
os.write(1, b"first\\n"); os.close(1)
signal.pause()
"""
    with pytest.raises(TapError, match=r"has closed its output, and has not ended in 0.2 s"):
        read(tap(tmp_path, code, patience=0.2))
    assert "has not ended. Waiting 0.2 s for it." in caplog.text
    with locked(lock):
        pass


def test_process_that_holds_the_output_open_is_left_in_time(
    tmp_path: Path, lock: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(stderr, "GRACE_SECONDS", 0.1)
    code = """
wait = f"import fcntl; fcntl.flock(open({lock.name!r}), fcntl.LOCK_SH)"
subprocess.Popen([sys.executable, "-c", wait])
print("first")
"""
    with locked(lock):
        assert read(tap(tmp_path, code, patience=0.2)) == [b"first\n"]
    assert "a process that it has started holds its output open" in caplog.text
    assert "counts as complete" in caplog.text


def test_error_of_a_tap_without_catalog_names_properties(tmp_path: Path) -> None:
    code = """
import argparse
parser = argparse.ArgumentParser()
for name in ("--config", "--properties"): parser.add_argument(name)
parser.parse_args()
"""

    def read_with_catalog(**options: Any) -> None:
        with tap(tmp_path, code, **options).running(catalog={"streams": []}) as lines:
            list(lines)

    with pytest.raises(TapError, match="use properties=True"):
        read_with_catalog()
    read_with_catalog(properties=True)

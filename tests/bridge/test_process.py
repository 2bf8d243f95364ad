"""A tap is a process: it is stopped with all it started, and its own words are in the error."""

from __future__ import annotations

import fcntl
import signal
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dlt_bridge import MessageError, TapError, process
from dlt_bridge.process import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAP = """
import fcntl, os, signal, subprocess, sys
from pathlib import Path
config = Path(sys.argv[sys.argv.index("--config") + 1])
lock = open({lock!r}, "w")
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def tap(folder: Path, code: str, *, shell: bool = False) -> Tap:
    """Return a tap that runs this code; within a shell, as wrappers do that are no `exec`."""
    script = folder / "code.py"
    script.write_text(TAP.format(lock=str(folder / "lock")) + code)
    command = [sys.executable, str(script)]
    if shell:
        text = f'{sys.executable} {script} "$@"\nexit $?'
        command = ["sh", "-c", text, "tap"]
    return Tap(command, {"password": "s3cret"})


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
        raise MessageError("Line 1 is no Singer message.")


def test_config_is_gone_after_the_first_line(tmp_path: Path) -> None:
    """So that a kill leaves no credentials behind: only the tap itself could remove them then."""
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


def test_tap_that_ignores_a_polite_request_is_stopped(
    tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.1)
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


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Python's own answer to Ctrl-C: a tap that other tests made here has put in its own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_tap_that_goes_on_without_output_is_stopped_too(tmp_path: Path, lock: Path) -> None:
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


def test_process_that_a_tap_leaves_behind_holds_nothing_up(
    tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.1)
    code = """
wait = f"import fcntl; fcntl.flock(open({lock.name!r}), fcntl.LOCK_SH)"
subprocess.Popen([sys.executable, "-c", wait], stdout=subprocess.DEVNULL)
print("first")
"""
    with locked(lock):
        assert read(tap(tmp_path, code)) == [b"first\n"]


def test_tap_that_fails_in_mid_line_is_heard(tmp_path: Path) -> None:
    code = 'print("half", end=""); sys.exit("no more quota")'
    with pytest.raises(TapError, match=r"exit code 1(.|\n)*no more quota") as failed:
        refuse_first_line(tap(tmp_path, code))
    assert isinstance(failed.value.__cause__, MessageError)


def test_what_is_shown_of_standard_error_is_bounded(tmp_path: Path) -> None:
    code = 'sys.stderr.write("x" * 5_000_000 + "the end"); sys.exit(1)'
    with pytest.raises(TapError, match="the end") as failed:
        read(tap(tmp_path, code))
    assert len(str(failed.value)) < 25_000


def test_script_without_a_first_line_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "tap-text"
    script.write_text("print(1)")
    script.chmod(stat.S_IRWXU)
    with pytest.raises(TapError, match="tap-text can't be run"):
        Tap(str(script), {}).discover()

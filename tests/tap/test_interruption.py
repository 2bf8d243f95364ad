"""An interrupted run: nothing is missing after the next run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from running import Run, chat_config, ended_after, waiting

from tap_chat.sandbox import Options, Sandbox, World

if TYPE_CHECKING:
    from running import Runner

INCREMENTAL = {"replication_key": "timestamp", "filter_param": "since"}


@pytest.mark.parametrize("seed", range(4))
def test_killed_sync_resumes_without_loss(tap: Runner, seed: int) -> None:
    dice = random.Random(seed)
    with Sandbox(World(seed=seed, messages=2000)) as sandbox:
        complete = tap(chat_config(sandbox, **INCREMENTAL))
        sandbox.world = World(seed=seed, messages=4000)
        config = chat_config(sandbox, **INCREMENTAL)
        command = tap.command(config, state=complete.state)
        killed = ended_after(command, dice.randrange(1, 1900), signal.SIGKILL)
        assert killed.code == -signal.SIGKILL
        whole = killed.out[: killed.out.rfind(b"\n") + 1]
        killed = Run(killed.code, whole, killed.err)
        resumed = tap(config, state=killed.state or complete.state)
        assert resumed.code == 0
        seen = {
            record["id"]: record for run in (complete, killed, resumed) for record in run.records
        }
        assert sorted(seen) == [row["id"] for row in sandbox.world.chat.messages]
        assert list(seen.values()) == sandbox.world.chat.messages


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_terminated_sync_ends_with_its_exit_code_and_whole_lines(tap: Runner, signum: int) -> None:
    with Sandbox(World(messages=5000), Options(latency=0.05)) as sandbox:
        run = ended_after(tap.command(chat_config(sandbox)), 200, signum)
    assert run.code == 128 + signum
    assert run.out.endswith(b"\n")
    assert 199 <= len(run.records) < 5000


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_terminated_sync_of_a_blocked_pipe_ends_with_whole_lines(
    tap: Runner, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    """The pipe is full, and the signal interrupts a write, which then is incomplete."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Sandbox(World(messages=5000)) as sandbox:
        run = ended_after(tap.command(chat_config(sandbox)), 1, signal.SIGTERM, blocked=True)
    assert run.code == 128 + signal.SIGTERM
    assert run.out.endswith(b"\n")
    assert run.messages


@pytest.mark.parametrize(("signum", "workers"), [(signal.SIGTERM, 16), (signal.SIGINT, 1)])
def test_signal_ends_a_run_whose_loader_does_not_read(
    tap: Runner, signum: int, workers: int
) -> None:
    """Several signals arrive, as from a runner and a terminal."""
    with Sandbox(World(messages=5000)) as sandbox:
        command = tap.command(chat_config(sandbox) | {"max_workers": workers})
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=4096
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            first = process.stdout.readline()
            while waiting(process.stdout) < 4096:
                assert process.poll() is None
            for _ in range(3):
                process.send_signal(signum)
            assert ended(process) == 128 + signum
            *whole, last = (first + process.stdout.read()).split(b"\n")
            assert b"Traceback" not in process.stderr.read()
    assert [json.loads(line)["type"] for line in whole] == ["SCHEMA"] + ["RECORD"] * (
        len(whole) - 1
    )
    # The pipe ends within a line, which is not valid JSON: nobody takes it for a record.
    with pytest.raises(json.JSONDecodeError):
        json.loads(last)


@pytest.mark.parametrize("workers", [1, 16])
def test_signal_ends_a_run_that_waits_for_the_rate_limit(tap: Runner, workers: int) -> None:
    with Sandbox(World(messages=500)) as sandbox:
        config = chat_config(sandbox, requests_per_minute=1) | {"max_workers": workers}
        started = time.monotonic()
        run = ended_after(tap.command(config), 100, signal.SIGTERM)
        assert time.monotonic() - started < 15
    assert run.code == 128 + signal.SIGTERM
    assert run.records == sandbox.world.chat.messages[:100]


def test_signal_ends_a_run_that_waits_for_dns(tap: Runner) -> None:
    """A signal does not reach a thread that waits for the resolver."""
    program = """
import signal, socket, sys, time
from tap_chat.__main__ import main

def waits(*_, **__):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    print("waits", file=sys.stderr, flush=True)
    time.sleep(60)

socket.getaddrinfo = waits
main()
"""
    config = {"chat": {"api_url": "http://api.invalid", "api_key": "k"}, "max_workers": 1}
    _, *arguments = tap.command(config)
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        while process.stderr.readline() != b"waits\n":
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert ended(process) == 128 + signal.SIGTERM
        assert b"Traceback" not in process.stderr.read()


def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process that ends soon, and return its exit code."""
    try:
        return process.wait(10)
    finally:
        process.kill()


def test_other_signal_costs_no_record(tap: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal is resized while the loader is slow."""
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    program = """
import signal
from tap_chat.__main__ import main

signal.signal(signal.SIGWINCH, lambda *_: None)
main()
"""
    with Sandbox(World(messages=5000)) as sandbox:
        _, *arguments = tap.command(chat_config(sandbox))
        command = [sys.executable, "-c", program, *arguments]
        run = ended_after(command, 1, signal.SIGWINCH, blocked=True)
        assert run.code == 0
        assert run.records == sandbox.world.chat.messages


def test_loader_that_goes_away_fails_the_run(tap: Runner) -> None:
    with Sandbox(World(messages=5000)) as sandbox:
        command = tap.command(chat_config(sandbox))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            err = process.stderr.read().decode()
    assert process.returncode == 1
    assert "The loader closed the pipe" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_before_the_tap_exists_writes_nothing(tap: Runner, signum: int) -> None:
    """The signal arrives while the tap waits for its config."""
    command = tap.command({})
    config = tap.folder / "config.json"
    config.unlink()
    os.mkfifo(config)
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
        config.open("w"),  # once it is opened by the tap, too
    ):
        process.send_signal(signum)
        out, err = process.communicate()
    assert process.returncode == 128 + signum
    assert out == b""
    assert b"Traceback" not in err


@pytest.mark.parametrize("moment", ["_setup_signal_handlers", "setup_mapper"])
def test_signal_before_the_state_is_loaded_writes_none(tap: Runner, moment: str) -> None:
    """An empty STATE would reset every bookmark."""
    program = f"""
import os, signal
from tap_chat.__main__ import main
from tap_chat.tap import TapChat

def ended(self, going_on=TapChat.{moment}):
    going_on(self)
    os.kill(os.getpid(), signal.SIGTERM)

TapChat.{moment} = ended
main()
"""
    stored = {"replication_key": "timestamp", "replication_key_value": "2025-01-01T00:00:00Z"}
    config = {"chat": {"api_url": "http://127.0.0.1", "api_key": "k"}}
    _, *arguments = tap.command(config, state={"bookmarks": {"chat_messages": stored}})
    run = tap.run([sys.executable, "-c", program, *arguments])
    assert run.code == 128 + signal.SIGTERM, run.err
    assert run.out == b""
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    ("place", "words"), [("/dev/full", "No space left"), ("&-", "Standard output is closed")]
)
@pytest.mark.parametrize("discover", ["", "--discover"])
def test_output_that_cannot_be_written_is_an_error(
    tap: Runner, sandbox: Sandbox, place: str, words: str, discover: str
) -> None:
    command = " ".join(tap.command(chat_config(sandbox)))
    run = tap.run(["bash", "-c", f"{command} {discover} >{place}"])
    assert run.code == 1
    assert words in run.err
    assert "Traceback" not in run.err
    assert "Exception ignored" not in run.err


@pytest.mark.parametrize("closed", ["2>&-", "<&-", "<&- 2>&-"])
def test_records_are_written_with_a_standard_stream_closed(
    tap: Runner, sandbox: Sandbox, closed: str
) -> None:
    command = " ".join(tap.command(chat_config(sandbox)))
    run = tap.run(["bash", "-c", f"{command} {closed}"])
    assert run.code == 0
    assert run.records == sandbox.world.chat.messages


def test_no_other_file_gets_the_descriptor_of_a_closed_standard_stream(tap: Runner) -> None:
    program = """
import os, sys
import tap_chat.command as tap

tap.watch_signals = lambda: sys.exit(str(os.dup(1)) if os.dup(1) > 2 else 'taken')
tap.run()
"""
    run = tap.run(["bash", "-c", f'exec {sys.executable} -c "$0" <&- 2>&1', program])
    assert run.out.strip().isdigit()


def test_records_are_written_with_the_working_folder_deleted(tap: Runner, sandbox: Sandbox) -> None:
    command = " ".join(tap.command(chat_config(sandbox)))
    run = tap.run(["bash", "-c", f"mkdir gone; cd gone; rmdir ../gone; {command}"])
    assert run.code == 0, run.err
    assert run.records == sandbox.world.chat.messages

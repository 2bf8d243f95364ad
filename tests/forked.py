"""Runs of the tap in forked processes, because importing the SDK takes longer than most runs.

A server that has imported the tap, but nothing of the tests, forks a process per run. It is a
separate program: it reads a line of JSON per run, and writes a line with the exit code.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from functools import cache
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Whether a process can open the files of another one by their file descriptors.
POSSIBLE = sys.platform == "linux"
_turn = threading.Lock()


def run(
    arguments: list[str], folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run `tap-chat` with arguments, in a folder, with an environment."""
    with TemporaryFile() as out, TemporaryFile() as err:
        files = [file.fileno() for file in (out, err)]
        paths = [f"/proc/{os.getpid()}/fd/{number}" for number in files]
        asked = {"arguments": arguments, "folder": str(folder), "env": dict(env), "files": paths}
        with _turn:
            server = _server()
            assert server.stdin is not None
            assert server.stdout is not None
            try:
                print(json.dumps(asked), file=server.stdin, flush=True)
                code = int(server.stdout.readline())
            except BaseException:
                # Its exit code is still unread, and the next run must not take it for its own.
                os.killpg(server.pid, signal.SIGKILL)
                server.communicate()
                _server.cache_clear()
                raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    atexit.register(server.communicate)
    return server


def serve() -> None:
    """Fork a process for each line of standard input."""
    from tap_chat.command import run as main  # noqa: PLC0415 - not in the process of the tests

    for line in sys.stdin:
        process = os.fork()
        if not process:
            _child(json.loads(line), main)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _child(asked: dict[str, Any], main: Any) -> NoReturn:
    """Run the tap in a forked process."""
    for number, path in enumerate([os.devnull, *asked["files"]]):
        file = os.open(path, os.O_RDWR)
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.argv = ["tap-chat", *asked["arguments"]]
    code: Any = 1
    try:
        main()
        code = 0
    except SystemExit as error:
        code = error.code
        if not isinstance(code, (int, type(None))):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:  # noqa: BLE001 - as Python itself would end
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)


if __name__ == "__main__":
    serve()

"""Runs of the tap in forked processes, because importing the SDK takes longer than most runs.

A server that has imported the tap, but nothing of the tests, forks a process per run. It is a
separate program. A client sends it the standard streams, a request as JSON, and signals as single
bytes; it responds with the exit code. If the client ends, so does the run.

`forked_tap.py` is a client, and the command `tap-chat` on the PATH of the tests. The installed
command is run where a test names it by its path.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import TYPE_CHECKING, Any, NoReturn

import forked_tap

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Whether a process can wait for the end of another one that it has not started.
POSSIBLE = sys.platform == "linux"


def start() -> None:
    """Start the server, and put the command on the PATH."""
    folder = Path(mkdtemp(prefix="forked-"))
    address = str(folder / "server")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(100)
        server = subprocess.Popen(
            [sys.executable, __file__, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
    atexit.register(server.communicate)
    command = shlex.join([sys.executable, "-I", "-S", forked_tap.__file__])
    program = folder / "tap-chat"
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
    os.environ[forked_tap.ADDRESS] = address
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ["PATH"]])


def run(
    arguments: list[str], folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run `tap-chat` with arguments, in a folder, with an environment."""
    with Path(os.devnull).open() as nothing, TemporaryFile() as out, TemporaryFile() as err:
        files = [file.fileno() for file in (nothing, out, err)]
        with forked_tap.asked(arguments, str(folder), dict(env), files) as connection:
            code = forked_tap.exit_code(connection)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


class Server:
    """Forks a process for each connection.

    Args:
        listening: The socket of the connections.
    """

    def __init__(self, listening: socket.socket) -> None:
        from tap_chat.__main__ import main  # noqa: PLC0415 - not in the process of the tests

        self._main = main
        self._connections: dict[int, socket.socket] = {}
        self._listening = listening
        self._ended, wake = socket.socketpair()
        for end in (self._ended, wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.detach(), warn_on_full_buffer=False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self._selector.register(listening, selectors.EVENT_READ, self._accept)
        self._selector.register(self._ended, selectors.EVENT_READ, self._respond)

    def serve(self) -> None:
        """Fork processes until standard input ends."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    return
                # An earlier event may have ended this connection.
                if key.fileobj in self._selector.get_map():
                    key.data()

    def _accept(self) -> None:
        """Start a run."""
        connection, _ = self._listening.accept()
        length, files, _, _ = socket.recv_fds(connection, forked_tap.LENGTH, 3)
        asked = json.loads(connection.recv(int.from_bytes(length), socket.MSG_WAITALL))
        process = os.fork()
        if not process:
            _child(asked, files, self._main)
        for file in files:
            os.close(file)
        self._connections[process] = connection
        tell = partial(self._tell, process)
        self._selector.register(connection, selectors.EVENT_READ, tell)

    def _tell(self, process: int) -> None:
        """Send the signals of a client to its run. If the client has ended, kill the run."""
        connection = self._connections[process]
        signals = connection.recv(100)
        for signum in signals or (signal.SIGKILL,):
            os.kill(process, signum)
        if not signals:
            self._selector.unregister(connection)

    def _respond(self) -> None:
        """Send the exit codes of the runs that have ended."""
        self._ended.recv(1000)
        while self._connections:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            with self._connections.pop(process) as connection:
                if connection in self._selector.get_map():
                    self._selector.unregister(connection)
                with suppress(BrokenPipeError):
                    connection.send(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _child(asked: dict[str, Any], files: list[int], main: Any) -> NoReturn:
    """Run the tap in a forked process."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as Python opens it
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115
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
    Server(socket.socket(fileno=int(sys.argv[1]))).serve()

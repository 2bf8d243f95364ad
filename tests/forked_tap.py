"""The command `tap-chat` as a client of the server of forked.py. It starts in some 20 ms."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

#: The environment variable with the address of the server.
ADDRESS = "FORKED_TAP_SERVER"
#: The bytes of the length of a request.
LENGTH = 4


def asked(
    arguments: list[str], folder: str, env: dict[str, str], files: list[int]
) -> socket.socket:
    """Ask for a run, and return the connection."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ[ADDRESS])
    run = json.dumps({"arguments": arguments, "folder": folder, "env": env}).encode()
    socket.send_fds(connection, [len(run).to_bytes(LENGTH)], files)
    connection.sendall(run)
    return connection


def exit_code(connection: socket.socket) -> int:
    """Wait for the end of a run."""
    return int(connection.makefile().readline())


def main() -> None:
    """Run the tap with the arguments and the standard streams of this process."""
    connection = asked(sys.argv[1:], os.getcwd(), dict(os.environ), [0, 1, 2])  # noqa: PTH109
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda number, _: connection.send(bytes([number])))
    # Only the run holds the standard streams open now.
    os.closerange(0, 3)
    code = exit_code(connection)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()

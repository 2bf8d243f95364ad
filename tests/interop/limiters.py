"""Rate limiters of other projects, each in front of the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import requests
from interop.environments import node_modules, program

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS = Path(__file__).parent / "servers"
#: A path of another client, which the API does not have; the number of its parallel requests, and
#: the seconds between two of them.
OTHER, NOT_THERE = "/other", 404
OTHERS, PACE = 8, 0.01

NGINX = """
daemon off;
master_process off;
error_log {folder}/error.log;
pid {folder}/pid;
events {{}}
http {{
    log_format line "$msec $status $uri";
    access_log {folder}/log line;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    limit_req_zone $server_name zone=rate:1m rate={rate}r/s;
    limit_conn_zone $server_name zone=open:1m;
    server {{
        listen 127.0.0.1:{port};
        server_name peer;
        location / {{
            {rules}
            proxy_pass http://127.0.0.1:{upstream};
        }}
    }}
}}
"""


class Answer(NamedTuple):
    """The time of a response, in seconds since 1970, and its status."""

    moment: float
    status: int


@dataclass(frozen=True)
class Peer:
    """A running limiter.

    Attributes:
        url: Its URL.
        log: A file with a line per request.
    """

    url: str
    log: Path

    @property
    def answers(self) -> list[Answer]:
        """The responses, except those to the other client."""
        lines = [line.split(" ", 2) for line in self.log.read_text().splitlines()]
        return sorted(
            Answer(float(moment), int(status)) for moment, status, path in lines if path != OTHER
        )

    @contextmanager
    def used_by_other(self, seconds: float) -> Iterator[None]:
        """Let another client send requests until it is refused, and then for some seconds.

        Args:
            seconds: How long it continues, in parallel to the body of the context.
        """
        refused, enough = threading.Event(), threading.Event()

        def ask() -> None:
            with requests.Session() as session:
                while not enough.wait(PACE):
                    if session.get(self.url + OTHER, timeout=10).status_code != NOT_THERE:
                        refused.set()

        threads = [threading.Thread(target=ask) for _ in range(OTHERS)]
        for thread in threads:
            thread.start()
        # A limiter that delays requests refuses none.
        refused.wait(seconds)
        timer = threading.Timer(seconds, enough.set)
        timer.start()
        try:
            yield
        finally:
            enough.set()
            timer.cancel()
            for thread in threads:
                thread.join()


@contextmanager
def nginx(api: str, rules: str, rate: int) -> Iterator[Peer]:
    """Run nginx in front of an API.

    Args:
        api: The URL of the API.
        rules: Directives of its location.
        rate: The rate of its zone `rate`, in requests per second.
    """
    found = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    assert found, "apt-get install nginx-light"
    with TemporaryDirectory(prefix="nginx-") as name:
        folder, port = Path(name), free_port()
        config = {"folder": folder, "port": port, "upstream": urlsplit(api).port}
        (folder / "conf").write_text(NGINX.format(**config, rules=rules, rate=rate))
        with running([found, "-p", name, "-c", str(folder / "conf")], port):
            yield Peer(f"http://127.0.0.1:{port}", folder / "log")


@contextmanager
def express(api: str, **options: Any) -> Iterator[Peer]:
    """Run express-rate-limit in front of an API, with these options."""
    modules = {"NODE_PATH": str(node_modules("express-rate-limit"))}
    with ExitStack() as stack:
        yield _served(stack, ["node", str(SERVERS / "express.js")], api, options, modules)


@contextmanager
def flask_limiter(api: str, **config: Any) -> Iterator[Peer]:
    """Run Flask-Limiter in front of an API, with this config of Flask."""
    command = [program("flask-limiter", "python"), str(SERVERS / "flask_proxy.py")]
    with ExitStack() as stack:
        yield _served(stack, command, api, config, {})


def _served(
    stack: ExitStack, command: list[str], api: str, options: dict[str, Any], env: dict[str, str]
) -> Peer:
    folder, port = stack.enter_context(TemporaryDirectory(prefix="peer-")), free_port()
    log = Path(folder, "log")
    words = [str(port), str(urlsplit(api).port), str(log), json.dumps(options)]
    stack.enter_context(running([*command, *words], port, env))
    return Peer(f"http://127.0.0.1:{port}", log)


@contextmanager
def running(command: list[str], port: int, env: dict[str, str] | None = None) -> Iterator[None]:
    """Run a server until the context ends.

    Args:
        command: The command that starts it.
        port: Its port.
        env: Additional environment variables.
    """
    with (
        TemporaryFile("w+") as err,
        subprocess.Popen(
            command, env=os.environ | (env or {}), stdout=subprocess.DEVNULL, stderr=err
        ) as process,
    ):
        try:
            while not answers_at(port):
                err.seek(0)
                assert process.poll() is None, err.read()
            yield
        finally:
            process.kill()


def answers_at(port: int) -> bool:
    """Return whether something listens on a port."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a free port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port

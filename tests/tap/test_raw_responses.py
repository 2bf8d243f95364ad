"""Invalid responses, byte by byte: the run reads every row, or fails."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from serving import rows

from tap_chat.sandbox import API_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Run, Runner

BODY = json.dumps({"data": rows(3)}).encode()
HALF, REST = BODY[: len(BODY) // 2], BODY[len(BODY) // 2 :]
OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
INTERIM = (
    CONTINUE
    + b"HTTP/1.1 102 Processing\r\n\r\n"
    + b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
)
CHUNKS = b"Transfer-Encoding: chunked\r\n"
FIELD = b"X: y\r\n"


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


@contextmanager
def raw_server(answer: bytes, endless: bytes = b"") -> Iterator[str]:
    """Send these bytes on every connection, and close it; or send further bytes forever."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    while b"\r\n\r\n" not in connection.recv(65536):
                        pass
                    connection.sendall(answer)
                    while endless:
                        connection.sendall(endless)
                except OSError:
                    continue  # the tap has seen enough of it

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


def read(tap: Runner, answer: bytes, endless: bytes = b"") -> Run:
    settings = {"paging": "none", "max_retries": 1, "backoff_factor": 0.01, "request_timeout": 5}
    with raw_server(answer, endless) as url:
        return tap({"chat": {"api_url": url, "api_key": API_KEY, **settings}}, level="DEBUG")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (OK + LENGTH % (2 * len(BODY)) + BODY, "was cut off"),
        (OK + LENGTH % (2 * len(HALF)) + HALF, "was cut off"),
        (OK + b"\r\n" + HALF, "not complete JSON"),
        (OK + LENGTH % len(HALF) + BODY, "not complete JSON"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY), "was cut off"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"zz\r\n" + BODY, "was cut off"),
        (OK + b"Content-Encoding: gzip\r\n" + LENGTH % len(BODY) + BODY, "can't be decompressed"),
        (OK + b"X: y\r\n" * 1000 + LENGTH % len(BODY) + BODY, "the connection broke"),
        (OK + b"X: " + b"y" * 100_000 + b"\r\n" + LENGTH % len(BODY) + BODY, "connection broke"),
        (b"HTTP/1.1 2xx OK\r\n\r\n" + BODY, "connection broke"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "connection broke"),
        (b"", "connection broke"),
    ],
    ids=[
        "length-too-large",
        "half-of-length",
        "half-until-close",
        "length-too-small",
        "chunks-without-end",
        "chunk-size-of-letters",
        "not-compressed",
        "too-many-headers",
        "header-too-long",
        "status-of-letters",
        "another-protocol",
        "nothing",
    ],
)
def test_invalid_response_is_an_error(tap: Runner, answer: bytes, words: str) -> None:
    run = read(tap, answer)
    assert run.code == 1
    assert words in run.errors[0]
    assert "after 2 tries" in run.errors[0]
    assert run.records == []
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"\r\n" + BODY,
        OK + b"Transfer-Encoding: nonsense\r\n" + LENGTH % len(BODY) + BODY,
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(HALF) + chunked(REST)
        + b"0\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(HALF) + gzip.compress(REST),
        OK + LENGTH % len(BODY) + BODY + b"more",
        INTERIM + OK + LENGTH % len(BODY) + BODY,
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY) + b"0\r\nX: y\r\n\r\n",
    ],
    ids=["until-close", "strange-encoding", "chunks", "gzip-twice", "more-after", "interim",
         "trailer"],
)  # fmt: skip
def test_unusual_complete_response_is_read(tap: Runner, answer: bytes) -> None:
    run = read(tap, answer)
    assert run.code == 0, run.errors
    assert run.records == rows(3)


SPACES = b" " * 1024 * 1024
BOMB = gzip.compress(SPACES * 257, 1)


@pytest.mark.parametrize(
    ("answer", "endless"),
    [
        (OK + b"\r\n", SPACES),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", chunked(SPACES)),
        (OK + LENGTH % 2**40, SPACES),
        (OK + b"Content-Encoding: gzip\r\n" + LENGTH % len(BOMB) + BOMB, b""),
    ],
    ids=["no length", "chunks", "a length", "compressed"],
)
def test_endless_response_is_refused(tap: Runner, answer: bytes, endless: bytes) -> None:
    run = read(tap, answer, endless)
    assert run.code == 1
    assert "returned more than 256 MiB" in run.errors[0]


@pytest.mark.parametrize(
    ("answer", "endless", "words"),
    [
        (b"", CONTINUE, "connection broke"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n" + FIELD + b"\r\n", "connection broke"),
        (OK, FIELD, "connection broke"),
        (OK, b"X: " + b"y" * 60_000 + b"\r\n", "connection broke"),
        (OK + CHUNKS + b"\r\n" + chunked(BODY) + b"0\r\n", FIELD, "cut off"),
        (
            OK + CHUNKS + b"Content-Encoding: gzip\r\n\r\n" + chunked(gzip.compress(BODY))
            + b"0\r\n",
            FIELD,
            "cut off",
        ),
    ],
    ids=["continue", "hints", "headers", "long headers", "trailers", "compressed, trailers"],
)  # fmt: skip
def test_endless_headers_and_trailers_are_refused(
    tap: Runner, answer: bytes, endless: bytes, words: str
) -> None:
    run = read(tap, answer, endless)
    assert run.code == 1
    assert words in run.errors[0]
    assert "after 2 tries" in run.errors[0]

"""The settings of the tap, declared as types: checks, defaults and JSON Schema follow from them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from typing_extensions import override

from tap_chat.config.validators import account_problem, header_problem, url_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Upper limits of settings: higher than anyone needs, and low enough for arithmetic with times.
MOST_A_MINUTE = 1_000_000
MOST_RETRIES = 100
MOST_ON_A_PAGE = 1_000_000
DAY_OF_SECONDS = 24 * 60 * 60
LONGEST_LOOKBACK = 100 * 365

RequestRate = Annotated[float, Meta(gt=0, le=MOST_A_MINUTE)]
AccountName = Annotated[str, Meta(min_length=1)]
RetryCount = Annotated[int, Meta(ge=0, le=MOST_RETRIES)]


def about(
    title: str,
    description: str,
    *,
    secret: bool = False,
    form: str | None = None,
    **limits: Any,  # noqa: ANN401
) -> Meta:
    """Describe a setting.

    Args:
        title: A few words, as a label.
        description: One or two sentences for the settings table.
        secret: True for a credential: Meltano then hides its value.
        form: The JSON Schema `format` of a text, such as `date-time`.
        limits: Further arguments of `msgspec.Meta`: `ge`, `gt`, `examples`, ...

    Returns:
        The annotation of the setting's type.
    """
    extra: dict[str, Any] = {"secret": True, "writeOnly": True} if secret else {}
    if form:
        extra["format"] = form
    return Meta(title=title, description=description, extra_json_schema=extra, **limits)


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings with checks beyond their types."""

    def problems(self) -> Iterator[tuple[str, str | None]]:
        """Yield the name of each checked setting, and its problem or None.

        A problem is the predicate of a sentence: `is not a URL`.
        """
        yield from ()


class BatchEncoding(Settings, frozen=True, kw_only=True):
    """The files of BATCH messages."""

    format: Annotated[
        Literal["jsonl", "arrow"],
        about(
            "Format of batches",
            "The format of the files: `jsonl` (JSON lines), or `arrow` (IPC files; SDK 0.55 and"
            " newer). `arrow` needs the extra `tap-chat[arrow]`.",
        ),
    ]
    compression: Annotated[
        Literal["none", "gzip"],
        about("Compression of batches", "`gzip`, for JSON lines, or `none`."),
    ] = "none"

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        if self.format == "arrow":
            if find_spec("pyarrow") is None:
                yield "format", "needs a package that is missing: pip install 'tap-chat[arrow]'"
            if self.compression == "gzip":
                yield "compression", "must be `none`: Arrow files have no gzip"


class BatchStorage(Settings, frozen=True, kw_only=True):
    """Where the files of BATCH messages are written."""

    root: Annotated[
        str,
        about(
            "Folder of batches",
            "The folder or URL of the files, which the loader must be able to read.",
            examples=["file:///data/batches"],
            min_length=1,
        ),
    ]
    prefix: Annotated[
        str, about("Prefix of batches", "The beginning of the name of each file.")
    ] = ""


class BatchSettings(Settings, frozen=True, kw_only=True):
    """Records in files."""

    encoding: Annotated[BatchEncoding, about("Encoding of batches", "The format of the files.")]
    storage: Annotated[BatchStorage, about("Storage of batches", "Where the files are written.")]
    batch_size: Annotated[
        int, about("Size of batches", "The most records in a file.", ge=1, le=MOST_ON_A_PAGE)
    ] = 10_000


class TapSettings(Settings, frozen=True, kw_only=True):
    """The settings of the whole tap, next to the sections of the platforms."""

    start_date: Annotated[
        str | UnsetType,
        about(
            "Start date",
            "Incremental streams start here or at their bookmark, whichever is later. If you move"
            " it to an earlier time, they start there again. ISO 8601; without an offset, UTC.",
            form="date-time",
            examples=["2024-01-01T00:00:00Z"],
        ),
    ] = UNSET
    end_date: Annotated[
        str | UnsetType,
        about(
            "End date",
            "The end of the last window, for streams that are read in windows; by default now."
            " ISO 8601.",
            form="date-time",
            examples=["2024-02-01T00:00:00Z"],
        ),
    ] = UNSET
    user_agent: Annotated[
        str | UnsetType,
        about("User agent", "The User-Agent of every request; by default `tap-chat/<version>`."),
    ] = UNSET
    account: Annotated[
        AccountName | UnsetType,
        about(
            "Account",
            "A name of the account, if several accounts share tables: each record has it as"
            " `_account`, the first part of its key. Any text.",
            examples=["acme"],
        ),
    ] = UNSET
    metrics_log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | UnsetType,
        about(
            "Level of metrics",
            "The log level of the SDK's METRIC lines, which are logged at `info`: `warning` hides"
            " them. By default the level of the log; on a terminal, `warning`.",
            examples=["warning"],
        ),
    ] = UNSET
    max_workers: Annotated[
        int,
        about(
            "Workers",
            "How many requests may be sent at the same time. With 1, requests are sent one after"
            " another.",
            ge=1,
            le=1024,
        ),
    ] = 16
    rest: Annotated[
        dict[str, Any] | UnsetType,
        about(
            "REST APIs",
            "APIs by declarations in the format of dlt's `rest_api`: an object from a name, with"
            " which the streams begin, to a declaration, to the path of its file (YAML, TOML or"
            " JSON), or to an object with `declaration`, `streams` and the settings that every"
            " platform has.",
            # Meltano fills in `${NAME}` itself, and would show it.
            secret=True,
            examples=[{"matrix": "matrix.yaml"}],
        ),
    ] = UNSET
    batch_config: Annotated[
        BatchSettings | UnsetType,
        about(
            "Batches",
            "Records are written to files, and BATCH messages name them, instead of RECORD"
            " messages.",
        ),
    ] = UNSET

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield "user_agent", header_problem(self.user_agent or "")
        yield "account", account_problem(self.account or "")


def extra_streams_of(*names: str) -> Meta:
    """Describe the setting `extra_streams` of a platform.

    Args:
        names: The streams that it can name.
    """
    return about(
        "Further streams",
        "Streams to read besides the others, which cost many requests or need more rights:"
        f" {', '.join(f'`{name}`' for name in names)}.",
    )


class PlatformSettings(Settings, frozen=True, kw_only=True):
    """The settings of every platform."""

    api_url: Annotated[
        str,
        about(
            "API URL",
            "The address of the API, without the path of a stream.",
            examples=["https://api.example.com"],
        ),
    ]
    account: Annotated[
        AccountName | UnsetType,
        about(
            "Account",
            "The name of the account on this platform; unset, the `account` at the top.",
            examples=["acme"],
        ),
    ] = UNSET
    optional: Annotated[
        list[str],
        about(
            "Optional streams",
            "The names of streams that a run may leave out, with a warning, if the API does not"
            " allow them (401, 402, 403): the token lacks a scope, or the plan a part. Without it,"
            " that is an error.",
        ),
    ] = []
    requests_per_minute: Annotated[
        RequestRate | None,
        about(
            "Requests a minute",
            "The maximum number of requests in any minute; unset, the tap finds the rate limit"
            " itself.",
            examples=[60],
        ),
    ] = None
    request_timeout: Annotated[
        float,
        about(
            "Request timeout",
            "Seconds to wait for the first byte of a response, and for every further 64 KiB.",
            gt=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 60.0
    connect_timeout: Annotated[
        float,
        about(
            "Connect timeout",
            "Seconds to wait for a connection, TLS included.",
            gt=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 15.0
    max_wait: Annotated[
        float,
        about(
            "Longest wait",
            "How many seconds a run waits, at most, while the server accepts no request because of"
            " the rate limit. A wait that the server asks for does not count.",
            ge=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 900.0
    max_outage: Annotated[
        float,
        about(
            "Longest outage",
            "How many seconds a request is retried, at most, before the run fails: after a status"
            " such as 503, a broken connection, or no response.",
            ge=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 300.0
    max_retries: Annotated[
        RetryCount | None,
        about(
            "Retries",
            "How often such a request is retried, at most; unset, only `max_outage` limits the"
            " retries.",
            examples=[3],
        ),
    ] = None
    backoff_factor: Annotated[
        float,
        about(
            "Backoff factor",
            "Seconds before the first retry; each further wait is twice as long. The server's"
            " Retry-After takes precedence.",
            ge=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 2.0

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield "api_url", url_problem(self.api_url)
        yield "account", account_problem(self.account or "")

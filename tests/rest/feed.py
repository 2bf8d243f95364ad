"""A server with lists that grow and change, some by parents, and its declaration."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from running import QUICK
from starlette.responses import Response

from tap_chat.singer.cursors import cursor_type, read_time

if TYPE_CHECKING:
    from running import Run, Runner
    from starlette.requests import Request

Row = dict[str, Any]


@dataclass
class Feed:
    """Lists at `/v1/rows`, `/v1/rooms` and `/v1/rooms/{id}/rows`. It responds to requests.

    Attributes:
        rows: The rows of the first list.
        rooms: The rows of each room.
        filters: What the parameter `since` does: nothing, or leave out what is before it, or also
            what is at it.
        order: The order of rows by `at`; None for their own.
        unit: What `since` is: a value of `at`, or a number of seconds or a date for it.
        broken: The room whose rows can't be read; None if all can.
        asked: The path and the parameters of each request so far, those in a JSON body and the
            header `x-since` included.
    """

    rows: list[Row] = field(default_factory=list)
    rooms: dict[str, list[Row]] = field(default_factory=dict)
    filters: Literal["nothing", "before", "at"] = "before"
    order: Literal["asc", "desc"] | None = None
    unit: Literal["value", "epoch_s", "date"] = "value"
    broken: str | None = None
    asked: list[tuple[str, Row]] = field(default_factory=list)

    def __call__(self, request: Request) -> Any:
        query: Row = dict(request.query_params)
        if since := request.headers.get("x-since"):
            query["since"] = since
        path = request.url.path
        if path.startswith("/v1/since/"):
            query["since"], path = path.removeprefix("/v1/since/"), "/v1/rows"
        self.asked.append((path, query))
        if path == "/v1/rows":
            return self._page(self.rows, query)
        if path == "/v1/rooms":
            rooms = [{"id": room, "at": len(rows)} for room, rows in self.rooms.items()]
            return self._page(rooms, {**query, "since": None})
        room = path.removeprefix("/v1/rooms/").removesuffix("/rows")
        if room == self.broken:
            return Response("{}", 500)
        if room in self.rooms:
            return self._page(self.rooms[room], query)
        return Response("{}", 404)

    def _page(self, rows: list[Row], query: Row) -> Any:
        if self.order:
            rows = sorted(rows, key=_order, reverse=self.order == "desc")
        if self.filters != "nothing" and query.get("since") is not None:
            rows = [row for row in rows if self._passes(row, query["since"])]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        return {"data": rows[offset : offset + limit]}

    def _passes(self, row: Row, since: Any) -> bool:
        at = row.get("at")
        if at is None:
            return True
        if self.unit == "value":
            kind = cursor_type(at)
            assert kind is not None
            own, bound = kind.read(at), kind.read(_like(at, since))
        else:
            time = read_time(at)
            assert time is not None
            own = int(time.timestamp()) if self.unit == "epoch_s" else time.date().isoformat()
            bound = type(own)(since)
        return bool(own >= bound if self.filters == "before" else own > bound)

    @property
    def since(self) -> list[Any]:
        """The values of `since` in the requests so far; None where it was not sent."""
        return [query.get("since") for _, query in self.asked]


def _like(at: Any, since: str) -> Any:
    try:
        return type(at)(since)
    except ValueError:
        return at  # the server ignores what it does not understand


def _order(row: Row) -> Any:
    kind = cursor_type(row["at"])
    assert kind is not None
    return kind.read(row["at"])


@dataclass
class Reader:
    """Reads the declared list of a feed, run after run, each with the STATE of the one before.

    Attributes:
        tap: Runs the tap.
        feed: The feed.
        url: Its URL.
        state: The STATE of the last run.
    """

    tap: Runner
    feed: Feed
    url: str
    state: Row = field(default_factory=dict)

    def config(
        self,
        incremental: Row | None,
        *,
        key: str | list[str] | None = "id",
        streams: Row | None = None,
        settings: Row | None = None,
        **endpoint: Any,
    ) -> Row:
        """Return a config with a declaration, whose streams begin with `feed`."""
        resource = {"name": "rows", "endpoint": list_of("rows", incremental, **endpoint)}
        resource |= {"primary_key": key} if key else {}
        return self.config_of([resource], streams=streams, settings=settings)

    def config_of(
        self, resources: list[Row], *, streams: Row | None = None, settings: Row | None = None
    ) -> Row:
        """Return a config with resources."""
        declaration = {"client": {"base_url": f"{self.url}/v1/"}, "resources": resources}
        section = {"declaration": declaration, "streams": streams or {}, **QUICK}
        return {"rest": {"feed": section}, **(settings or {})}

    def run_config(self, config: Row) -> Run:
        """Run the tap, and keep the STATE."""
        self.feed.asked.clear()
        files: dict[str, Any] = {"state": self.state} if self.state else {}
        run = self.tap(config, **files)
        self.state = run.state or self.state
        return run

    def run(self, incremental: Row | None, **declared: Any) -> Run:
        """Run the tap on the first list, and keep the STATE."""
        return self.run_config(self.config(incremental, **declared))

    def rows(self, incremental: Row | None, **declared: Any) -> list[Row]:
        """Run the tap on the first list, which must succeed, and return the rows."""
        run = self.run(incremental, **declared)
        assert run.code == 0, run.err
        return run.rows("feed_rows")

    @property
    def bookmark(self) -> Any:
        """The bookmark in the last STATE."""
        return self.state["bookmarks"]["feed_rows"].get("replication_key_value")


def rooms_and_rows(incremental: Row | None, key: str | None = "id") -> list[Row]:
    """Return the resources of the rooms, and of the rows of each."""
    rows = list_of("rooms/{resources.rooms.id}/rows", incremental)
    return [
        {"name": "rooms", "primary_key": "id", "endpoint": list_of("rooms", None)},
        {"name": "rows", "endpoint": rows, **({"primary_key": key} if key else {})},
    ]


def list_of(path: str, incremental: Row | None, /, **endpoint: Any) -> Row:
    """Return the endpoint of a list of pages by offset."""
    return {
        "path": path,
        **endpoint,
        "data_selector": "data",
        "paginator": {"type": "offset", "limit": 10, "total_path": None},
        **({"incremental": incremental} if incremental else {}),
    }


def rows_of(values: list[Any], start: int = 0) -> list[Row]:
    """Return a row for each value of its cursor, with ids from a number on."""
    return [{"id": f"r{number}", "at": value} for number, value in enumerate(values, start)]


def same(found: list[Row], expected: list[Row]) -> bool:
    """Return whether two lists have the same rows, each as often."""
    return sorted(map(_text, found)) == sorted(map(_text, expected))


def _text(row: Row) -> str:
    return json.dumps(row, sort_keys=True)

"""A server whose rows change while they are read: a tree of parents and children, and two lists."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rest.feed import Row, list_of
from running import QUICK
from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from starlette.requests import Request


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Living:
    """Rooms with rows, rows with reactions, and events. It responds to requests.

    Attributes:
        dice: Chooses what changes.
        is_quiet: Whether nothing changes, and no connection breaks.
        tables: The rows of each list, by id.
    """

    dice: random.Random
    is_quiet: bool = False
    tables: dict[str, dict[str, Row]] = field(
        default_factory=lambda: {"rooms": {}, "rows": {}, "reactions": {}, "events": {}, "news": {}}
    )

    def __post_init__(self) -> None:
        for _ in range(10):
            self._add("rooms")
        for _ in range(60):
            self._add("rows", room=self._some("rooms")["id"])
        for _ in range(30):
            self._add("reactions", row=self._some("rows")["id"])
        for _ in range(120):
            self._add("events")
            self._add("news")

    def _add(self, table: str, **fields: Any) -> None:
        rows = self.tables[table]
        row = {"id": f"{table}{len(rows)}", "at": now(), "version": 0, **fields}
        rows[row["id"]] = row

    def _some(self, table: str) -> Row:
        return self.dice.choice(list(self.tables[table].values()))

    def _change(self) -> None:
        """Add and change rows. A row with a new reaction is changed, too."""
        self._add("events")
        self._add("news")
        row = self._some("rows")
        self._add("reactions", row=row["id"])
        self._add("rows", room=self._some("rooms")["id"])
        if self.dice.random() < 0.1:
            self._add("rooms")
        for changed in (row, self._some("rows"), self._some("events"), self._some("news")):
            changed |= {"at": now(), "version": changed["version"] + 1}

    def __call__(self, request: Request) -> Any:
        time.sleep(0.01)
        if not self.is_quiet:
            if self.dice.random() < 0.3:
                self._change()
            if self.dice.random() < 0.03:
                return StreamingResponse(_broken(), headers={"content-length": "1000"})
        match request.url.path.strip("/").split("/"):
            case [table] if table in {"rooms", "events", "news"}:
                rows = list(self.tables[table].values())
            case ["rooms", room, "rows"]:
                rows = [row for row in self.tables["rows"].values() if row["room"] == room]
            case ["rows", row_id, "reactions"]:
                rows = [row for row in self.tables["reactions"].values() if row["row"] == row_id]
            case _:
                return Response("{}", 404)
        order = request.query_params.get("order")
        if order:
            rows.sort(key=lambda row: str(row["at"]), reverse=order == "desc")
        since = request.query_params.get("since", "")
        rows = [row for row in rows if row["at"] >= since]
        offset, limit = (int(request.query_params[name]) for name in ("offset", "limit"))
        return {"data": rows[offset : offset + limit]}


async def _broken() -> AsyncIterator[bytes]:
    """Yield the beginning of a body."""
    yield b'{"data": [{"id": '


def living_config(url: str) -> Row:
    """Return a config that reads the whole server: rows, events and news incrementally."""
    since = {"cursor_path": "at", "start_param": "since"}
    lists: Row = {
        "rooms": list_of("rooms", None),
        "rows": list_of("rooms/{resources.rooms.id}/rows", since),
        "reactions": list_of("rows/{resources.rows.id}/reactions", None),
        "events": list_of("events", since | {"row_order": "asc"}, params={"order": "asc"}),
        "news": list_of(
            "news", {"cursor_path": "at", "row_order": "desc"}, params={"order": "desc"}
        ),
    }
    declaration = {
        "client": {"base_url": url},
        "resources": [
            {"name": name, "primary_key": "id", "endpoint": endpoint}
            for name, endpoint in lists.items()
        ],
    }
    return {"rest": {"living": {"declaration": declaration, **QUICK, "max_retries": 10}}}

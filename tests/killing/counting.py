"""A Singer tap that sends each record once: three streams without keys count up from the state."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

STREAMS = ("a", "b", "c")
RECORDS = 150
#: Records between two STATEs, and seconds between two records.
STEP, PAUSE = 10, 0.01


def catalog() -> dict[str, Any]:
    return {"streams": [{"tap_stream_id": stream, "key_properties": []} for stream in STREAMS]}


def truth() -> dict[str, list[dict[str, Any]]]:
    """Return the rows that each stream must have."""
    rows = [{"id": number, "v": f"v{number}"} for number in range(1, RECORDS + 1)]
    return dict.fromkeys(STREAMS, rows)


def main(arguments: list[str]) -> None:
    """Write messages to standard output."""
    files = dict(zip(arguments[::2], arguments[1::2], strict=True))
    state = json.loads(Path(files["--state"]).read_text()) if "--state" in files else {}
    seen = max((mark["x"] for mark in state.get("bookmarks", {}).values()), default=0)
    types = {"id": {"type": "integer"}, "v": {"type": "string"}}
    for stream in STREAMS:
        _say(type="SCHEMA", stream=stream, schema={"properties": types}, key_properties=[])
    for row in truth()["a"][seen:]:
        for stream in STREAMS:
            _say(type="RECORD", stream=stream, record=row)
        if row["id"] % STEP == 0:
            _say(type="STATE", value={"bookmarks": {name: {"x": row["id"]} for name in STREAMS}})
        time.sleep(PAUSE)


def _say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

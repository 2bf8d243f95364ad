"""Taps of this and other projects, with their settings and their sources."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from interop.chats import Chats
from interop.environments import program
from interop.shop import SCHEMA, TABLES, Shop
from running import BIN
from typing_extensions import override

if TYPE_CHECKING:
    from pathlib import Path

    from interop.cells import Row


class Data(Protocol):
    """A source that changes between runs."""

    def begin(self) -> None: ...
    def stay(self) -> None: ...
    def move_on(self) -> None: ...
    def add_column(self) -> None: ...
    @property
    def keys(self) -> dict[str, tuple[str, ...]]: ...
    @property
    def truth(self) -> dict[str, list[Row]]: ...
    @property
    def due(self) -> dict[str, int]: ...


@dataclass(frozen=True)
class Tap:
    """A tap.

    Attributes:
        name: Its name in the tests.
        path: Its program.
        data: Its source.
    """

    name: str
    path: str
    data: Data

    @property
    def config(self) -> dict[str, Any]:
        raise NotImplementedError

    @property
    def replication(self) -> dict[str, dict[str, str]]:
        """The metadata that users add to streams."""
        return {}


class ChatTap(Tap):
    """tap-chat."""

    def __init__(self, chats: Chats) -> None:
        super().__init__("tap-chat", str(BIN / "tap-chat"), chats)

    @property
    @override
    def config(self) -> dict[str, Any]:
        assert isinstance(self.data, Chats)
        return self.data.config


class ShopTap(Tap):
    """A tap that reads the shop, with the replication keys that a user must choose."""

    @property
    @override
    def replication(self) -> dict[str, dict[str, str]]:
        return {
            f"{SCHEMA}-{table}": {
                "replication-method": "INCREMENTAL" if column else "FULL_TABLE",
                **({"replication-key": column} if column else {}),
            }
            for table, (_, column) in TABLES.items()
        }

    @property
    def url(self) -> str:
        assert isinstance(self.data, Shop)
        return self.data.url


class MeltanoLabs(ShopTap):
    """meltanolabs-tap-postgres."""

    def __init__(self, shop: Shop) -> None:
        super().__init__("tap-meltanolabs", program("meltanolabs", "tap-postgres"), shop)

    @property
    @override
    def config(self) -> dict[str, Any]:
        return {"sqlalchemy_url": self.url, "filter_schemas": [SCHEMA]}


class PipelineWise(ShopTap):
    """pipelinewise-tap-postgres."""

    def __init__(self, shop: Shop) -> None:
        super().__init__("tap-pipelinewise", program("pipelinewise", "tap-postgres"), shop)

    @property
    @override
    def config(self) -> dict[str, Any]:
        url = urlsplit(self.url)
        return {
            "host": url.hostname,
            "port": url.port,
            "user": url.username,
            "password": url.password,
            "dbname": url.path.lstrip("/"),
            "filter_schemas": SCHEMA,
        }


@dataclass(frozen=True)
class Recorded:
    """A tap with a record of its runs.

    Attributes:
        tap: The tap.
        folder: The folder of its files.
    """

    tap: Tap
    folder: Path

    @cached_property
    def program(self) -> str:
        """A program that runs the tap, and keeps its output."""
        self.folder.mkdir(parents=True, exist_ok=True)
        script = self.folder / self.tap.name
        script.write_text(
            "#!/bin/bash\nset -o pipefail\n"
            f'{shlex.quote(self.tap.path)} "$@" | tee "$(mktemp -p {shlex.quote(str(self._runs))})"'
        )
        script.chmod(0o755)
        return str(script)

    @property
    def _runs(self) -> Path:
        runs = self.folder / "runs"
        runs.mkdir(exist_ok=True)
        return runs

    def written(self) -> list[dict[str, Any]]:
        """Return the messages that its runs wrote since the last call."""
        files = sorted(self._runs.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        # The other outputs are catalogs.
        texts = [text for file in files if (text := file.read_text()).startswith('{"type"')]
        for file in files:
            file.unlink()
        lines = [line for text in texts for line in text.splitlines()]
        return [json.loads(line, parse_float=Decimal) for line in lines]

    def taken(self) -> Counter[str]:
        """Return the number of records of each stream that its runs wrote since the last call."""
        messages = self.written()
        return Counter(message["stream"] for message in messages if message["type"] == "RECORD")

    def config(self) -> str:
        """Write the current settings, and return their file."""
        return self._written("config", self.tap.config)

    def discover(self) -> str:
        """Write the catalog with everything selected, and return its file."""
        found = subprocess.run(
            [self.tap.path, "--config", self.config(), "--discover"],
            capture_output=True,
            check=True,
        )
        catalog = json.loads(found.stdout)
        for stream in catalog["streams"]:
            [top] = [item for item in stream["metadata"] if not item["breadcrumb"]]
            chosen: dict[str, Any] = {"selected": True, "replication-method": "FULL_TABLE"}
            chosen |= self.tap.replication.get(stream["tap_stream_id"], {})
            top["metadata"] |= chosen
            # Older taps read the selection here.
            stream["replication_method"] = chosen["replication-method"]
            if "replication-key" in chosen:
                stream["replication_key"] = chosen["replication-key"]
        return self._written("catalog", catalog)

    def _written(self, name: str, content: Any) -> str:
        path = self.folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return str(path)

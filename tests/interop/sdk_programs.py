"""A tap and a target on the SDK 0.55, which run in an environment of their own.

`sdk_programs.py tap --config FILE` writes BATCH messages; `sdk_programs.py target --config FILE`
writes the records that its sinks get into a file of JSON lines.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from singer_sdk import BatchSink, Stream, Tap, Target
from singer_sdk import typing as th
from typing_extensions import override


class Values(Stream):
    """Records of all JSON types."""

    name = "a"
    primary_keys = ("id",)
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType),
        th.Property("t", th.DateTimeType),
        th.Property("o", th.ObjectType(additional_properties=True)),
        th.Property("l", th.ArrayType(th.IntegerType)),
        th.Property("n", th.NumberType),
        th.Property("s", th.StringType),
        th.Property("b", th.BooleanType),
        th.Property("d", th.NumberType),
    ).to_dict()

    @override
    def get_records(self, _: Any) -> Any:
        """Yield as many records as the config asks for."""
        for number in range(self.config["count"]):
            yield {
                "id": number,
                "t": "2026-01-01T12:00:00.123456+02:00",
                "o": {"x": number, "y": [1, None]},
                "l": [1, number],
                "n": number / 8,
                "s": f"€ {number}" if number % 3 else None,
                "b": number % 2 == 0,
                "d": Decimal("12345678901234567.89"),
            }


class ValuesTap(Tap):
    """The tap."""

    name = "tap-values"
    config_jsonschema = th.PropertiesList(th.Property("count", th.IntegerType)).to_dict()

    @override
    def discover_streams(self) -> list[Stream]:
        """Return the stream."""
        return [Values(self)]


class LinesSink(BatchSink):
    """Writes the records that it gets to a file."""

    max_size = 10**9

    @override
    def process_batch(self, context: dict[str, Any]) -> None:
        """Write records."""
        with Path(self.config["out"]).open("a") as file:
            file.writelines(
                json.dumps([self.stream_name, record], default=str) + "\n"
                for record in context["records"]
            )


class LinesTarget(Target):
    """The target."""

    name = "target-lines"
    config_jsonschema = th.PropertiesList(th.Property("out", th.StringType)).to_dict()
    default_sink_class = LinesSink


if __name__ == "__main__":
    program: Any = {"tap": ValuesTap, "target": LinesTarget}[sys.argv.pop(1)]
    program.cli()

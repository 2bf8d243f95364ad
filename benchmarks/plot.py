"""Draw `docs/pictures/benchmarks.svg` from the results that the benchmarks have saved.

The title of each group is its conclusion, computed from the results. The bars are filled, and texts
and lines have a middle grey, so that the picture is the same on white and on black.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.measure import RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Rows = Sequence[Mapping[str, Any]]

PICTURE = RESULTS.parent.parent / "docs" / "pictures" / "benchmarks.svg"
WIDTH, NAMES, VALUES, LINE, BAR = 880, 300, 90, 24, 15
#: Ratios below it are shown with a digit after the point.
FEW = 5
#: The most labels on an axis.
LABELS = 6
STYLE = """
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif;
  fill: #768390; }
.title { font-size: 15px; font-weight: 600; }
.small { font-size: 12px; }
.ours { fill: #1a7f37; }
.theirs { fill: #848d97; }
path { stroke: #848d97; fill: none; }
"""
#: How much each connector of Airbyte reads, by the rows of the table.
AIRBYTE = {"Freshchat, 100 ms": "75 %", "Dixa, 100 ms": "97 %"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a group: its name and value, and whether it is this project's."""

    name: str
    value: float
    ours: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Bars that are compared.

    Attributes:
        title: The conclusion.
        axis: What the axis shows.
        bars: The bars.
        digits: The digits of a value after the point.
    """

    title: str
    axis: str
    bars: Sequence[Bar]
    digits: int = 0


def groups(results: Mapping[str, Rows]) -> Iterator[Group]:
    """Yield what the picture shows."""
    yield freshchat(results["peers"])
    yield dixa(results["peers"])
    yield duckdb(results["duckdb"])
    yield postgres(results["postgres"])
    yield records(results["records"])


def freshchat(rows: Rows) -> Group:
    """Return the bars of the tools that read Freshchat."""
    work = "Freshchat, 100 ms"
    seconds = {row["run"]: row["seconds"] for row in rows if row["work"] == work}
    ours = seconds["tap-chat, 64 workers"]
    rest_api = seconds["dlt `rest_api`, 64 workers"]
    bars = [Bar("tap-chat, 64 workers", ours, ours=True)]
    bars += [Bar("dlt's rest_api, 64 workers", rest_api, ours=False)]
    for name, workers in (
        ("Airbyte's connector, 40 workers", ", 40 workers"),
        ("Airbyte's connector", ""),
    ):
        shown = f"Airbyte{workers}: {AIRBYTE[work]} of the records"
        bars.append(Bar(shown, seconds[name], ours=False))
    bars.append(
        Bar("tap on the Meltano SDK, as it comes", seconds["plain tap on the SDK"], ours=False)
    )
    return Group(
        f"Freshchat: tap-chat is {times(rest_api, ours)} as fast as dlt's rest_api",
        "seconds for 100 users and 300 conversations, at a latency of 100 ms",
        bars,
        1,
    )


def dixa(rows: Rows) -> Group:
    """Return the bars of the tools that read Dixa."""
    work = "Dixa, 100 ms"
    seconds = {row["run"]: row["seconds"] for row in rows if row["work"] == work}
    ours, theirs = seconds["tap-chat"], seconds["Airbyte's connector"]
    return Group(
        f"Dixa: tap-chat is {times(theirs, ours)} as fast as Airbyte's connector",
        "seconds for 20,000 conversations, at a latency of 100 ms",
        [
            Bar("tap-chat", ours, ours=True),
            Bar(f"Airbyte: {AIRBYTE[work]} of the records", theirs, ours=False),
        ],
        1,
    )


def duckdb(rows: Rows) -> Group:
    """Return the bars of what loads into DuckDB."""
    seconds = {row["run"]: row["seconds"] for row in rows}
    ours, theirs = seconds["bridge, merge"], seconds["target-duckdb"]
    return Group(
        f"DuckDB: the bridge merges {times(theirs, ours)} as fast as target-duckdb",
        f"seconds for {rows[0]['records']:,} records",
        [
            Bar("DuckDB's read_json: the limit", seconds["limit: DuckDB's read_json"], ours=False),
            Bar("the bridge", ours, ours=True),
            Bar("target-duckdb", theirs, ours=False),
        ],
        1,
    )


def postgres(rows: Rows) -> Group:
    """Return the bars of what loads into PostgreSQL."""
    rates = {row["run"]: row["rate"] for row in rows}
    ours, theirs = rates["target-dlt"], rates["target-postgres (MeltanoLabs)"]
    return Group(
        f"PostgreSQL: target-dlt loads {times(ours, theirs)} as fast as target-postgres",
        f"records per second, of {rows[0]['records']:,}; longer is better",
        [
            Bar("the bridge, from Python", rates["the bridge, `run()`"], ours=True),
            Bar("target-dlt", ours, ours=True),
            Bar("target-postgres (MeltanoLabs)", theirs, ours=False),
        ],
    )


def records(rows: Rows) -> Group:
    """Return the bars of the records that one process writes."""
    rates = {row["run"]: row["rate"] for row in rows}
    ours, plain = rates["chat verbatim"], rates["chat plain"]
    return Group(
        f"Records: tap-chat writes {times(ours, plain)} as many as a tap on the Meltano SDK",
        "messages per second of CPU time; longer is better",
        [
            Bar("tap-chat", ours, ours=True),
            Bar("tap-chat, each has an undeclared field", rates["chat decoded"], ours=True),
            Bar("tap on the Meltano SDK, as it comes", plain, ours=False),
        ],
    )


def times(more: float, less: float) -> str:
    """Return a ratio in words."""
    ratio = more / less
    return f"{ratio:.1f} times" if ratio < FEW else f"{ratio:.0f} times"


def ticks(longest: float) -> list[float]:
    """Return round values from 0 to the longest bar."""
    rough = longest / (LABELS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * part for part in (1, 2, 5, 10) if power * part >= rough)
    return [step * number for number in range(int(longest / step) + 1)]


def drawn(shown: Sequence[Group]) -> str:
    """Return the picture."""
    parts, y = [], 0
    for group in shown:
        y += 26
        parts.append(f'<text class="title" x="0" y="{y}">{escape(group.title)}</text>')
        y += 8
        longest = max(bar.value for bar in group.bars)
        scale = (WIDTH - NAMES - VALUES) / longest
        for bar in group.bars:
            width = max(1.0, bar.value * scale)
            parts += [
                f'<text x="{NAMES - 8}" y="{y + 16}" text-anchor="end">{escape(bar.name)}</text>',
                (
                    f'<rect class="{"ours" if bar.ours else "theirs"}" x="{NAMES}" y="{y + 4}"'
                    f' width="{width:.1f}" height="{BAR}" rx="2"/>'
                ),
                (
                    f'<text x="{NAMES + width + 6:.1f}" y="{y + 16}">'
                    f"{bar.value:,.{group.digits}f}</text>"
                ),
            ]
            y += LINE
        y += 4
        marks = [(NAMES + value * scale, value) for value in ticks(longest)]
        lines = "".join(f"M{x:.1f} {y}v5" for x, _ in marks)
        parts.append(f'<path d="M{NAMES} {y}H{WIDTH - VALUES}{lines}"/>')
        parts += [
            f'<text class="small" x="{x:.1f}" y="{y + 18}" text-anchor="middle">{value:,.0f}</text>'
            for x, value in marks
        ]
        y += 36
        parts.append(f'<text class="small" x="{NAMES}" y="{y}">{escape(group.axis)}</text>')
        y += 16
    size = f'viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}"'
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="t">\n'
        f'<title id="t">tap-chat and the bridge, and other tools</title>\n<style>{STYLE}</style>\n'
        f"{body}\n</svg>\n"
    )


def main() -> None:
    """Draw the picture."""
    PICTURE.write_text(drawn(list(groups(json.loads(RESULTS.read_text())))))


if __name__ == "__main__":
    main()

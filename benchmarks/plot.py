"""Draw `bars.svg`, the picture of README.md, from the results that the benchmarks have saved.

It takes the colors of the reader's light or dark theme.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.measure import RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PICTURE = RESULTS.with_name("bars.svg")
#: Programs of this project.
OURS = ("tap-chat", "target-dlt", "the bridge", "chat decoded", "chat mapped", "chat verbatim")
WIDTH, NAMES, VALUES, LINE, BAR = 760, 270, 70, 20, 12
STYLE = """
text { font: 12px sans-serif; fill: #24292f; }
.title { font-weight: bold; }
.value { font-size: 11px; }
.ours { fill: #2a6f97; }
.theirs { fill: #b08968; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.ours { fill: #61a5c2; }
.theirs { fill: #cfae8b; }
}
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Bars that are compared.

    Attributes:
        title: What was measured, and its unit.
        bars: The names and the values.
        digits: The digits of a value after the point.
    """

    title: str
    bars: Sequence[tuple[str, float]]
    digits: int = 0


def groups(results: dict[str, list[dict[str, Any]]]) -> Iterator[Group]:
    """Yield what the picture shows."""
    peers = results.get("peers", [])
    for work in dict.fromkeys(row["work"] for row in peers):
        bars = [(row["run"], row["seconds"]) for row in peers if row["work"] == work]
        yield Group(f"{work}: seconds, shorter is better", bars, 1)
    into_postgres = [
        (f"{row['run']}, {row['records']:,} records", row["rate"])
        for row in results.get("postgres", [])
    ]
    yield Group("into PostgreSQL: records per second", into_postgres)
    by_path = [(row["run"], row["rate"]) for row in results.get("records", [])]
    by_path = [(name, rate) for name, rate in by_path if "incremental" not in name]
    yield Group("the tap alone: records per second of CPU", by_path)


def drawn(shown: Sequence[Group]) -> str:
    """Return the picture."""
    parts, y = [], 0
    for group in shown:
        y += 2 * LINE
        parts.append(f'<text class="title" x="0" y="{y - 6}">{escape(group.title)}</text>')
        longest = max(value for _, value in group.bars)
        for name, value in group.bars:
            width = max(1, (WIDTH - NAMES - VALUES) * value / longest)
            kind = "ours" if name.startswith(OURS) or name.endswith("tap-chat") else "theirs"
            middle = y + LINE - 8
            parts += [
                f'<text x="{NAMES - 8}" y="{middle}" text-anchor="end">{_name(name)}</text>',
                (
                    f'<rect class="{kind}" x="{NAMES}" y="{middle - BAR + 2}" width="{width:.1f}"'
                    f' height="{BAR}" rx="2"/>'
                ),
                (
                    f'<text class="value" x="{NAMES + width + 6:.1f}" y="{middle}">'
                    f"{value:,.{group.digits}f}</text>"
                ),
            ]
            y += LINE
    size = f'viewBox="0 0 {WIDTH} {y + 8}" width="{WIDTH}" height="{y + 8}"'
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{STYLE}</style>\n{body}\n</svg>\n'
    )


def _name(name: str) -> str:
    return escape(name.replace("`", ""))


def main() -> None:
    """Draw the picture."""
    results = json.loads(RESULTS.read_text())
    PICTURE.write_text(drawn([group for group in groups(results) if group.bars]))


if __name__ == "__main__":
    main()

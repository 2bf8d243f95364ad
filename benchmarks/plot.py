"""Draw the picture of README.md, from the results of fan_out.py and records.py.

It needs matplotlib, which nothing else here needs:
`.venv/bin/uv run --no-project --with matplotlib benchmarks/plot.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
PICTURE = HERE / "tap.svg"
OURS, THEIRS = "#2a6f97", "#b08968"


def by_latency(axes: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401
    """Draw requests per second by latency, one line per program."""
    names = dict.fromkeys(row["run"] for row in rows if not row["run"].startswith("bare"))
    for name in names:
        points = sorted((row["ms"], row["rate"]) for row in rows if row["run"] == name)
        ours = name.startswith("tap-chat")
        axes.plot(
            *zip(*points, strict=True),
            marker="o",
            color=OURS if ours else THEIRS,
            linestyle="-" if ours else "--",
        )
        ms, rate = points[-1]
        axes.annotate(name, (ms, rate), (6, -3), textcoords="offset points", fontsize=8)
    axes.set_yscale("log")
    axes.set_yticks([30, 100, 300, 1000], ["30", "100", "300", "1,000"])
    axes.minorticks_off()
    axes.set_xlim(-5, 175)
    axes.set_xticks(sorted({row["ms"] for row in rows}))
    axes.set_xlabel("latency of the server, ms")
    axes.set_title("requests a second, Freshchat's tree", fontsize=10)


def by_path(axes: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401
    """Draw records per CPU second, one bar per path."""
    colours = [THEIRS if "plain" in row["run"] else OURS for row in rows]
    bars = axes.barh([row["run"] for row in rows], [row["rate"] for row in rows], color=colours)
    axes.bar_label(bars, [f"{row['rate']:,.0f}" for row in rows], fontsize=8, padding=3)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(row["rate"] for row in rows))
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xticks([])
    axes.set_title("records a second of CPU, by path", fontsize=10)


def main() -> None:
    """Draw the picture."""
    results = json.loads(RESULTS.read_text())
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    by_latency(left, results["speed"])
    by_path(right, results["records"])
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()

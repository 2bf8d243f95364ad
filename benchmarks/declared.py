"""Read declared lists with tap-chat and with dlt's `rest_api`, in one run, as Markdown.

A server on this machine responds to each request after the latency. The rows are read, and not
loaded: tap-chat writes them to a file, and dlt extracts them. Seconds are those of the whole
program.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
from dataclasses import dataclass
from multiprocessing import Process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.measure import measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

LIMIT = 100
PAGES = 200
PARENTS = 200
WORKERS = 16
#: How many times as fast as dlt's `rest_api` tap-chat shall be.
TIMES = 8


@dataclass(frozen=True)
class Case:
    """A declaration.

    Attributes:
        what: What it reads.
        resources: Its resources.
        rows: The number of rows.
    """

    what: str
    resources: list[dict[str, Any]]
    rows: int

    def declaration(self, url: str, *, parallelized: bool = False) -> dict[str, Any]:
        """Return the declaration for a server."""
        more = {"parallelized": True} if parallelized else {}
        return {
            "client": {"base_url": url},
            "resources": [resource | more for resource in self.resources],
        }


def resource(name: str, path: str, paginator: dict[str, Any]) -> dict[str, Any]:
    """Return the declaration of a list."""
    endpoint = {"path": path, "data_selector": "data", "paginator": paginator}
    return {"name": name, "primary_key": "id", "endpoint": endpoint}


def child_pages(parent: int) -> int:
    """Return the number of pages of a parent's list: one to three."""
    return 1 + parent % 3


OFFSET = {"type": "offset", "limit": LIMIT}
NUMBER = {"type": "page_number", "base_page": 1, "total_path": "pages"}
CURSOR = {"type": "cursor", "cursor_path": "next", "cursor_param": "cursor"}
CHILDREN = sum(map(child_pages, range(PARENTS)))
CASES = [
    Case(f"{PAGES} pages by offset", [resource("rows", "rows", OFFSET)], PAGES * LIMIT),
    Case(f"{PAGES} pages by number", [resource("rows", "rows", NUMBER)], PAGES * LIMIT),
    Case(
        f"{PAGES} pages by number, of an API that does not state the number of rows",
        [resource("rows", "rows_of_pages", NUMBER)],
        PAGES * LIMIT,
    ),
    Case(
        f"{PARENTS} parents, with 1 to 3 pages of children each, by cursor",
        [
            resource("parents", "parents", OFFSET),
            resource("children", "parents/{resources.parents.id}/children", CURSOR),
        ],
        PARENTS + CHILDREN * LIMIT,
    ),
]


def serve(listening: socket.socket, latency: float) -> None:
    """Serve the lists."""

    def page(key: str, count: int, offset: int) -> list[dict[str, Any]]:
        """Return the rows of a page."""
        return [
            {"id": f"{key}{number}", "text": f"the text of row {number}", "number": number}
            for number in range(offset, min(offset + LIMIT, count))
        ]

    async def listed(request: Request) -> Response:
        await asyncio.sleep(latency)
        is_parents = request.url.path == "/parents"
        count = PARENTS if is_parents else PAGES * LIMIT
        given = request.query_params
        offset = int(given.get("offset", 0)) + LIMIT * (int(given.get("page", 1)) - 1)
        body = {"data": page("", count, offset), "pages": -(-count // LIMIT)}
        has_total = request.url.path != "/rows_of_pages"
        return JSONResponse(body | {"total": count} if has_total else body)

    async def children(request: Request) -> Response:
        await asyncio.sleep(latency)
        parent = int(request.path_params["parent"])
        number = int(request.query_params.get("cursor", 0))
        following = number + 1
        rows = page(f"{parent}-", child_pages(parent) * LIMIT, number * LIMIT)
        return JSONResponse(
            {"data": rows, "next": str(following) if following < child_pages(parent) else None}
        )

    routes = [
        Route("/rows", listed),
        Route("/rows_of_pages", listed),
        Route("/parents", listed),
        Route("/parents/{parent}/children", children),
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off")
    uvicorn.Server(config).run([listening])


def by_tap(case: Case, url: str, folder: Path) -> tuple[float, int]:
    """Return the seconds and the rows of tap-chat."""
    config, out = folder / "config.json", folder / "out"
    section = {"declaration": case.declaration(url)}
    config.write_text(json.dumps({"max_workers": WORKERS, "rest": {"api": section}}))
    command = [sys.executable, "-m", "tap_chat", "--config", str(config)]
    with out.open("wb") as lines, (folder / "err").open("wb") as err:
        cost = measured(command, memory=False, stdout=lines, stderr=err)
    with out.open("rb") as lines:
        return cost.seconds, sum(line.startswith(b'{"type":"RECORD"') for line in lines)


def by_dlt(case: Case, url: str, folder: Path, *, parallelized: bool) -> tuple[float, int]:
    """Return the seconds and the rows of dlt's `rest_api`."""
    declaration, out = folder / "declaration.json", folder / "out"
    declaration.write_text(json.dumps(case.declaration(url, parallelized=parallelized)))
    command = [sys.executable, __file__, "--extract", str(declaration)]
    with out.open("wb") as lines, (folder / "err").open("wb") as err:
        cost = measured(command, memory=False, stdout=lines, stderr=err)
    return cost.seconds, json.loads(out.read_text())


def extract(path: Path) -> int:
    """Extract a declaration with dlt, without loading it, and return the number of rows."""
    os.environ["EXTRACT__WORKERS"] = str(WORKERS)
    os.environ["EXTRACT__MAX_PARALLEL_ITEMS"] = str(2 * WORKERS)
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    # dlt reads its settings at import.
    import dlt  # noqa: PLC0415
    from dlt.sources.rest_api import rest_api_source  # noqa: PLC0415

    with TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("declared", pipelines_dir=folder, destination="duckdb")
        info = pipeline.extract(rest_api_source(json.loads(path.read_text())))
        return sum(
            found.items_count
            for packages in info.metrics.values()
            for metrics in packages
            for name, found in metrics["resource_metrics"].items()
            if not name.startswith("_")
        )


def compared(latency: float) -> Iterator[str]:
    """Yield a row of Markdown for each case."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Process(target=serve, args=(listening, latency), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        for case in CASES:
            with TemporaryDirectory() as name:
                folder = Path(name)
                ours, own = by_tap(case, url, folder)
                plain, theirs = by_dlt(case, url, folder, parallelized=False)
                parallel, also = by_dlt(case, url, folder, parallelized=True)
            if {own, theirs, also} != {case.rows}:
                raise SystemExit(f"{case.what}: {case.rows} rows, read {own}, {theirs}, {also}")
            reached = "yes" if plain >= TIMES * ours else "**no**"
            yield (
                f"| {case.what} | {case.rows:,} | {ours:.1f} | {plain:.1f} | {parallel:.1f}"
                f" | {plain / ours:.1f} | {parallel / ours:.1f} | {reached} |"
            )
    finally:
        server.terminate()
        server.join()


def main() -> None:
    """Measure all cases, and print each as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds of a request")
    parser.add_argument("--extract", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.extract:
        print(extract(arguments.extract))
        return
    print(
        f"At {arguments.latency * 1000:.0f} ms, with {WORKERS} workers:\n\n"
        "| declared | rows | tap-chat, s | rest_api, s | rest_api parallelized, s | times rest_api"
        f" | times parallelized | >= {TIMES} times rest_api |\n"
        "|---|---:|---:|---:|---:|---:|---:|---|",
        flush=True,
    )
    for row in compared(arguments.latency):
        print(row, flush=True)


if __name__ == "__main__":
    main()

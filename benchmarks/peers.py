"""Tools that people would take instead, on the same work in one run, as Markdown.

Each reads Freshchat's conversations, and Dixa's, from the sandbox: tap-chat, a plain tap on the
SDK, dlt's `rest_api`, and Airbyte's connectors. ingestr and target-dlt load the same rows from a
file. All rows are counted by their keys.

The tools are installed in environments of their own. The manifests of Airbyte's connectors are not
part of this project: `--manifests` names a folder with `freshchat.yaml` and `dixa.yaml`, which are
`manifest.yaml` in the folders of the connectors `source-freshchat` and `source-dixa` of Airbyte's
repository. Without it, Airbyte is left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))

import duckdb
from demo import BIN, sandbox

from benchmarks.bridge_speed import OURS, SCHEMA_NAME, settings_of
from benchmarks.fan_out import Bench, steer
from benchmarks.measure import Cost, measured, saved
from benchmarks.singer_data import STREAM, expected, record_lines, write_one_stream
from tap_chat.sandbox import API_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The tools, each with its pinned package. Newer versions of ingestr download more programs.
PINS = {"airbyte": "airbyte-cdk==7.39.1", "ingestr": "ingestr==0.14.155"}
#: The key of each stream, without the name of its platform.
KEYS = {
    "users": "id",
    "users_conversations": "id",
    "conversations": "conversation_id",
    "conversations_messages": "id",
    "conversation_export": "id",
}
TREE = ("users", "users_conversations", "conversations", "conversations_messages")
START = "2025-01-01"
#: Variables that keep ingestr from waiting for a server at its end.
TELEMETRY = ("INGESTR_DISABLE_TELEMETRY", "DISABLE_TELEMETRY")
WORKS = ("freshchat", "dixa", "files")


@dataclass(frozen=True, slots=True)
class Peer:
    """One tool on one work.

    Attributes:
        work: The work, such as `Freshchat`.
        name: The tool.
        cost: What it took.
        requests: The requests that it sent.
        rows: The rows that it got, without repeated ones.
        all_rows: The rows that there are.
    """

    work: str
    name: str
    cost: Cost
    requests: int
    rows: int
    all_rows: int

    def line(self, first: Peer) -> str:
        """Return the row as Markdown, compared with the first tool."""
        there = "all" if self.rows == self.all_rows else f"**{self.rows / self.all_rows:.1%}**"
        requests = f"{self.requests:,}" if self.requests else ""
        return (
            f"| {self.work} | {self.name} | {self.cost.seconds:.1f} |"
            f" {self.cost.seconds / first.cost.seconds:.1f} | {self.cost.cpu:.1f} |"
            f" {self.cost.peak_with_children:.0f} | {requests} | {self.rows:,} |"
            f" {there} |"
        )


def environment(name: str) -> Path:
    """Return the folder of the programs of a tool. Install it if it is not there."""
    place = Path(tempfile.gettempdir()) / "tap-chat-peers" / PINS[name]
    if not (place / "made").exists():
        uv = [str(BIN / "uv"), "--quiet", "--no-config", "--system-certs"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, place], check=True)
        subprocess.run([*uv, "pip", "install", "--python", place, PINS[name]], check=True)
        (place / "made").touch()
    return place / "bin"


def airbyte(
    folder: Path, manifest: str, streams: Sequence[str], config: Mapping[str, Any]
) -> list[str]:
    """Return the command of one of Airbyte's connectors.

    Args:
        folder: A folder for its files.
        manifest: The text of its manifest, with the address of the sandbox.
        streams: The streams to read.
        config: Its settings, without the secrets.
    """
    configured = [
        {
            "stream": {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "append",
        }
        for name in streams
    ]
    files = {
        "manifest.yaml": manifest,
        "catalog.json": json.dumps({"streams": configured}),
        "config.json": json.dumps({**config, "api_key": API_KEY, "api_token": API_KEY}),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    program = environment("airbyte") / "source-declarative-manifest"
    options = {"--config": "config.json", "--catalog": "catalog.json"}
    options |= {"--manifest-path": "manifest.yaml"}
    words = [word for name, file in options.items() for word in (name, str(folder / file))]
    return [str(program), "read", *words]


def counted(output: Path) -> int:
    """Return how many rows are in the output of a tool, without repeated keys."""
    found: dict[str, set[Any]] = defaultdict(set)
    with output.open("rb") as lines:
        for line in lines:
            message = json.loads(line) if line.startswith(b"{") else {}
            record = message.get("record")
            if message.get("type") == "RECORD" and record:
                data = record.get("data", record)
                stream = str(message.get("stream", record.get("stream")))
                stream = stream.removeprefix("freshchat_").removeprefix("dixa_")
                if stream in KEYS:
                    found[stream].add(data[KEYS[stream]])
            elif "rows" in message:
                return int(message["rows"])
    return sum(map(len, found.values()))


def read(
    work: str, url: str, folder: Path, commands: Mapping[str, list[str]], all_rows: int
) -> Iterator[Peer]:
    """Run the tools in turn, with the sandbox at this URL."""
    for name, command in commands.items():
        before = steer(url)["requests"]
        output, errors = folder / "out", folder / "err"
        with output.open("wb") as out, errors.open("wb") as err:
            cost = measured(command, stdout=out, stderr=err)
        if cost.code:
            raise SystemExit(f"{name} failed:\n{errors.read_text()[-2000:]}")
        requests = steer(url)["requests"] - before
        yield Peer(work, name, cost, requests, counted(output), all_rows)


def freshchat(manifests: Path | None, folder: Path, latency: float) -> Iterator[Peer]:
    """Read Freshchat's tree."""
    with sandbox("--users=100", "--conversations=300") as url:
        bench = Bench(url, folder)
        commands = {
            "tap-chat, 64 workers": bench.tap(64),
            "dlt `rest_api`, 64 workers": bench.dlt(64),
            "plain tap on the SDK": bench.plain(),
        }
        if manifests:
            manifest = (manifests / "freshchat.yaml").read_text()
            manifest = manifest.replace("https://{{ config['account_name'] }}.freshchat.com", url)
            # The sandbox refuses times with microseconds, and has ids with slashes.
            manifest = re.sub(r"( datetime_format: .*%S\.)%fZ", r"\g<1>000Z", manifest)
            manifest = re.sub(
                r"{{ (stream_partition\['\w+'\]) }}",
                r"{{ \1 | urlencode | replace('/', '%2F') }}",
                manifest,
            )
            for workers in (None, 40):
                level = (
                    "\nconcurrency_level:\n  type: ConcurrencyLevel\n  default_concurrency: 40\n"
                )
                place = folder / f"airbyte-{workers}"
                place.mkdir()
                name = f"Airbyte's connector{f', {workers} workers' if workers else ''}"
                commands[name] = airbyte(
                    place,
                    manifest + (level if workers else ""),
                    TREE,
                    {"start_date": f"{START}T00:00:00Z"},
                )
        report = steer(url, latency=latency)
        rows = sum(report["rows"][f"freshchat_{stream}"] for stream in TREE)
        yield from read(f"Freshchat, {latency * 1000:.0f} ms", url, folder, commands, rows)


def dixa(manifests: Path | None, folder: Path, latency: float) -> Iterator[Peer]:
    """Read Dixa's conversations by windows of 31 days, if there is a rival."""
    if manifests is None:
        return
    with sandbox("--dixa-conversations=20000") as url:
        section = {
            "api_url": f"{url}/v1",
            "api_token": API_KEY,
            "requests_per_minute": 100_000,
            "lag_minutes": 0,
        }
        config = folder / "dixa.json"
        config.write_text(json.dumps({"start_date": START, "dixa": section}))
        manifest = (manifests / "dixa.yaml").read_text()
        manifest = manifest.replace("https://exports.dixa.io", url)
        commands = {
            "tap-chat": [str(BIN / "tap-chat"), "--config", str(config)],
            "Airbyte's connector": airbyte(
                folder, manifest, ["conversation_export"], {"start_date": START, "batch_size": 31}
            ),
        }
        report = steer(url, latency=latency)
        rows = report["rows"]["dixa_conversation_export"]
        yield from read(f"Dixa, {latency * 1000:.0f} ms", url, folder, commands, rows)


def files(folder: Path, count: int) -> Iterator[Peer]:
    """Load the same rows from a file into DuckDB: Singer lines, and CSV for ingestr."""
    lines, table = folder / "lines", folder / "rows.csv"
    write_one_stream(lines, count)
    with table.open("w", newline="") as file:
        rows = [json.loads(line, parse_float=str)["record"] for line in record_lines(count)]
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    environ = os.environ | dict.fromkeys(TELEMETRY, "true")
    for name in (OURS, "ingestr"):
        database = folder / f"{name}.duckdb"
        config = folder / "target.json"
        config.write_text(json.dumps(settings_of(OURS, database)))
        command = [str(BIN / OURS), "--config", str(config)]
        if name == "ingestr":
            command = [str(environment(name) / name), "ingest", "--yes"]
            for option, value in {
                "source-uri": f"csv://{table}",
                "source-table": "rows",
                "dest-uri": f"duckdb:///{database}",
                "dest-table": f"{SCHEMA_NAME}.{STREAM}",
                "incremental-strategy": "merge",
                "primary-key": "id",
            }.items():
                command += [f"--{option}", value]
        with lines.open("rb") as given, (folder / "out").open("wb") as out:
            cost = measured(command, stdin=given, stdout=out, stderr=out, env=environ)
        if cost.code:
            raise SystemExit(f"{name} failed:\n{(folder / 'out').read_text()[-2000:]}")
        with duckdb.connect(str(database), read_only=True) as connection:
            rows_of = f"from {SCHEMA_NAME}.{STREAM}"
            query = f"select count(*), sum(score::decimal(38, 9)), min(typeof(score)) {rows_of}"
            [(found, score, kind)] = connection.execute(query).fetchall()
        exact = "" if score == expected(count).score else ", decimals not exact"
        exact += ", numbers as text" if kind == "VARCHAR" else ""
        yield Peer("a file into DuckDB, merged", f"{name}{exact}", cost, 0, found, count)


def main() -> None:
    """Run the tools, and print and save the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifests", type=Path, help="the folder of Airbyte's manifests")
    parser.add_argument("--only", nargs="+", choices=WORKS, default=WORKS)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds")
    parser.add_argument("--records", type=int, default=100_000, help="rows of the file")
    parser.add_argument("--save", action="store_true", help="save the seconds for plot.py")
    arguments = parser.parse_args()
    print("| work | tool | s | times ours | CPU s | peak MiB | requests | rows | of all |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---|")
    results = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        works = {
            "freshchat": freshchat(arguments.manifests, folder, arguments.latency),
            "dixa": dixa(arguments.manifests, folder, arguments.latency),
            "files": files(folder, arguments.records),
        }
        for group in map(works.__getitem__, arguments.only):
            first: Peer | None = None
            for peer in group:
                first = first or peer
                print(peer.line(first), flush=True)
                results.append(
                    {"work": peer.work, "run": peer.name, "seconds": round(peer.cost.seconds, 2)}
                )
    if arguments.save:
        saved("peers", results)


if __name__ == "__main__":
    main()

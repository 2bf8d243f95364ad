"""A package adds a platform with a folder, a dialect, and an entry point for each registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import tables
from running import BIN, Run, by_stream, in_order

from tap_chat.sandbox import API_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Runner

TOY = Path(__file__).parent / "toy"
TESTS, SCRIPTS = TOY.parent, TOY.parent.parent / "scripts"
#: The environment of an installed package with the platform.
INSTALLED = {"PYTHONPATH": os.pathsep.join(map(str, (TOY, TESTS, SCRIPTS)))}
STREAMS = ["helpdesk_tickets", "helpdesk_replies"]
TICKETS = 5


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The URL of a sandbox that also serves the platform."""
    command = [str(BIN / "tap-chat-sandbox"), f"--tickets={TICKETS}", "--messages=20"]
    with subprocess.Popen(
        command,
        env=os.environ | INSTALLED,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def config_of(url: str) -> dict[str, Any]:
    return {"helpdesk": {"api_url": f"{url}/helpdesk", "token": API_KEY}}


def run(tap: Runner, config: dict[str, Any], *flags: str) -> Run:
    return tap.run([*tap.command(config), *flags], INSTALLED)


def about() -> dict[str, Any]:
    command = [str(BIN / "tap-chat"), "--about", "--format=json"]
    found: dict[str, Any] = json.loads(subprocess.check_output(command, env=os.environ | INSTALLED))
    return found


def evaluated(imports: str, expression: str) -> Any:
    """Return the value of an expression in a process with the installed platform."""
    program = f"import json, {imports}; print(json.dumps({expression}))"
    command = [sys.executable, "-c", program]
    return json.loads(subprocess.check_output(command, env=os.environ | INSTALLED))


def test_settings_are_described() -> None:
    section = about()["settings"]["properties"]["helpdesk"]
    assert section["title"] == "Help desk"
    assert section["required"] == ["api_url", "token"]
    assert section["properties"]["token"]["secret"] is True
    assert "requests_per_minute" in section["properties"]


def test_settings_are_in_the_tables_of_the_pages() -> None:
    schema = about()["settings"]
    page = tables.table(tables.flat(schema["properties"]["helpdesk"], "helpdesk."))
    assert "| `helpdesk.token` | **required** | The token of the account. |" in page
    assert "    - name: helpdesk.token\n      kind: string\n" in tables.meltano_settings(schema)
    flags = evaluated("tables", "tables.sandbox_table()")
    assert "| `--tickets` | Tickets of the help desk. |" in flags


def test_streams_are_discovered(tap: Runner, url: str) -> None:
    catalog = json.loads(run(tap, config_of(url), "--discover").out)
    assert [entry["tap_stream_id"] for entry in catalog["streams"]] == STREAMS


def test_platform_of_a_package_takes_the_place_of_a_file_of_its_name(
    tap: Runner, url: str, tmp_path: Path
) -> None:
    own = "import dataclasses, helpdesk\nPLATFORM = dataclasses.replace({}, name='intercom')\n"
    (tmp_path / "own.py").write_text(own.format("helpdesk.PLATFORM"))
    package = tmp_path / "own-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1\n")
    entry_point = "[tap_chat.platforms]\nintercom = own:PLATFORM\n"
    (package / "entry_points.txt").write_text(entry_point)
    installed = {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, TOY)))}
    config = {"intercom": config_of(url)["helpdesk"]}
    found = tap.run([*tap.command(config), "--discover"], installed)
    assert found.code == 0, found.err
    names = [entry["tap_stream_id"] for entry in json.loads(found.out)["streams"]]
    assert names == STREAMS


def test_connection_is_tested(tap: Runner, url: str) -> None:
    right = run(tap, config_of(url), "--test")
    assert right.code == 0, right.err
    assert right.out.decode().startswith(f"helpdesk  ok      {url}/helpdesk returned tickets")
    wrong = run(tap, {"helpdesk": config_of(url)["helpdesk"] | {"token": "wrong"}}, "--test")
    assert wrong.code == 1
    assert wrong.out.endswith(b"The setting helpdesk.token is wrong.\n")


def test_every_row_arrives(tap: Runner, url: str) -> None:
    found = run(tap, config_of(url))
    assert found.code == 0, found.err
    truth = evaluated("tap_chat.sandbox as box", f"dict(box.World(tickets={TICKETS}).truth)")
    assert len(truth["helpdesk_replies"]) == 2 * TICKETS
    for stream in STREAMS:
        assert in_order(by_stream(found)[stream]) == in_order(truth[stream])


def test_missing_section_is_named(tap: Runner, url: str) -> None:
    catalog = json.loads(run(tap, config_of(url), "--discover").out)
    config = {"chat": {"api_url": url, "api_key": API_KEY}}
    command = tap.command(config, catalog=catalog)
    assert "the setting `helpdesk` is missing" in tap.run(command, INSTALLED).err


def test_sandbox_reports_and_changes_it(url: str) -> None:
    report = requests.get(f"{url}/_sandbox", timeout=10).json()
    assert report["world"]["tickets"] == TICKETS
    assert report["rows"]["helpdesk_replies"] == 2 * TICKETS
    wrong = requests.patch(f"{url}/_sandbox", json={"tickets": -1}, timeout=10)
    assert wrong.status_code == 400


def test_demo_reads_it_and_counts_its_rows(url: str) -> None:
    assert evaluated("demo", f"demo.config_of({url!r})")["helpdesk"] == config_of(url)["helpdesk"]
    rows = evaluated("demo", f"demo.rows_in_api({url!r})")
    assert {stream: rows[stream] for stream in STREAMS} == {
        "helpdesk_tickets": TICKETS,
        "helpdesk_replies": 2 * TICKETS,
    }


def test_bridge_reads_it_by_its_name(url: str) -> None:
    source = f"dlt_bridge.chat('helpdesk', **{config_of(url)['helpdesk']!r})"
    assert set(evaluated("dlt_bridge", f"list({source}.resources)")) >= set(STREAMS)


def test_tests_of_all_platforms_read_it() -> None:
    program = "running.full_config(sandbox.Sandbox())"
    config = evaluated("running, tap_chat.sandbox as sandbox", program)
    assert config["helpdesk"]["api_url"].endswith("/helpdesk")

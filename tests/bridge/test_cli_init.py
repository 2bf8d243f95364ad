"""`dlt singer init` writes a project."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from contextlib import chdir
from typing import TYPE_CHECKING

import duckdb
import pytest
from dlt import pipeline
from running import BIN, NO_PLATFORM, full_config
from terminal import in_dialog

from tap_chat.config.parsing import json_schema
from tap_chat.platforms.registry import PLATFORMS, Config
from tap_chat.sandbox import API_KEY, Sandbox, World
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.command_line import Command


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(messages=450)) as running:
        yield running


def test_init_writes_a_project_that_runs(dlt: Command, sandbox: Sandbox) -> None:
    done = dlt.process("singer", "init", "tap-chat")
    assert done.returncode == 0, done.stderr
    secrets = dlt.folder / ".dlt" / "secrets.toml"
    assert secrets.stat().st_mode & 0o077 == 0
    assert "secrets.toml" in (dlt.folder / ".gitignore").read_text()
    assert "[sources.singer.tap_chat]" in (dlt.folder / ".dlt" / "config.toml").read_text()
    text = secrets.read_text()
    assert "[sources.singer.tap_chat.config.freshchat]" in text
    # As a user would: the comment signs of one platform go, and its values are filled in.
    config = full_config(sandbox, "chat")["chat"]
    lines = ["[sources.singer.tap_chat.config.chat]"]
    lines += [f"{name} = {json.dumps(config[name])}" for name in ("api_url", "api_key")]
    assert f"#{lines[0]}" in text
    # Before, it ends in sentences.
    script = [sys.executable, "tap_chat_pipeline.py"]
    run = subprocess.run(script, cwd=dlt.folder, env=dlt.env, capture_output=True, check=False)
    *_, advice, error = run.stderr.decode().splitlines()
    assert error == NO_PLATFORM
    assert advice.startswith("No settings were found: give --config FILE (in Python, config=...)")
    assert "[sources.singer.tap_chat.config] in .dlt/secrets.toml" in advice
    assert (run.returncode, b"Traceback" in run.stderr) == (1, False)
    secrets.write_text(text.replace(f"#{lines[0]}", "\n".join(lines)))
    # The pipeline had its first run in another folder.
    (dlt.folder / "elsewhere").mkdir()
    with chdir(dlt.folder / "elsewhere"):
        pipeline("tap_chat", pipelines_dir=str(dlt.folder / "dlt" / "pipelines"))
    script = [sys.executable, "tap_chat_pipeline.py"]
    run = subprocess.run(script, cwd=dlt.folder, env=dlt.env, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    with duckdb.connect(str(dlt.folder / "tap_chat.duckdb"), read_only=True) as database:
        count = "select count(*) from tap_chat_dataset.chat_messages"
        assert database.execute(count).fetchall() == [(450,)]


def test_init_asks_for_what_the_destination_needs(dlt: Command) -> None:
    assert dlt("singer", "init", "tap-chat", "--destination", "postgres").returncode == 0
    found = tomllib.loads((dlt.folder / ".dlt" / "secrets.toml").read_text())
    credentials = found["destination"]["postgres"]["credentials"]
    assert credentials.keys() >= {"database", "username", "password", "host"}
    assert credentials["port"] == 5432
    assert 'DESTINATION = "postgres"' in (dlt.folder / "tap_chat_pipeline.py").read_text()


def test_init_changes_no_existing_file(dlt: Command) -> None:
    (dlt.folder / ".dlt").mkdir()
    secrets = dlt.folder / ".dlt" / "secrets.toml"
    secrets.write_text('[destination.postgres]\ncredentials = "s3cret"\n')
    (dlt.folder / ".gitignore").write_text("mine\n")
    (dlt.folder / "requirements.txt").write_text("mine\n")
    assert dlt("singer", "init", "tap-chat").returncode == 0
    assert secrets.read_text().startswith('[destination.postgres]\ncredentials = "s3cret"\n')
    assert "mine" in (dlt.folder / ".gitignore").read_text().splitlines()
    assert (dlt.folder / "requirements.txt").read_text() == "mine\n"
    script = dlt.folder / "tap_chat_pipeline.py"
    script.write_text("mine")
    done = dlt("singer", "init", "tap-chat")
    assert done.returncode != 0
    assert "exists already" in done.stderr
    assert script.read_text() == "mine"


def test_init_of_a_tap_without_about(dlt: Command) -> None:
    tap = dlt.folder / "tap-plain"
    tap.write_text(f"#!{sys.executable}\nimport sys\nsys.exit(2)\n")
    tap.chmod(0o700)
    assert dlt("singer", "init", str(tap)).returncode == 0
    text = (dlt.folder / ".dlt" / "secrets.toml").read_text()
    assert text.startswith("[sources.singer.tap_plain.config]")


def test_every_setting_that_init_shows_may_be_uncommented(dlt: Command) -> None:
    assert dlt("singer", "init", "tap-chat").returncode == 0
    text = (dlt.folder / ".dlt" / "secrets.toml").read_text()
    # A description has a space after its sign.
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    uncommented = "\n".join(line.removeprefix("#") for line in lines)
    config = tomllib.loads(uncommented)["sources"]["singer"]["tap_chat"]["config"]
    assert config.keys() >= {platform.name for platform in PLATFORMS}
    TapChat(config=config)


@pytest.mark.parametrize("platform", [platform.name for platform in PLATFORMS])
def test_init_for_a_platform_has_its_settings_alone(dlt: Command, platform: str) -> None:
    required = json_schema(Config)["properties"][platform]["required"]
    # Some texts, as examples are.
    names = {f"TAP_CHAT_{platform}_{name}".upper(): "https://x.example" for name in required}
    dlt.environment = names
    done = dlt("singer", "init", "--platform", platform, "--no-test")
    assert done.returncode == 0, done.stderr
    text = (dlt.folder / ".dlt" / "secrets.toml").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("# ")]
    given = [line for line in lines if not line.startswith("#")]
    assert len(given) == 1 + len(required)
    optional = [line.removeprefix("#") for line in lines if line.startswith("#")]
    assert len(optional) >= 3
    for line in [*optional, ""]:
        whole = tomllib.loads("\n".join([*given, line]))["sources"]["singer"]["tap_chat"]["config"]
        assert whole.keys() == {platform}
        TapChat(config=whole)
    # Each has its description.
    described = [line for line in text.splitlines() if line.startswith("# ")]
    assert len(described) >= len(given) - 1 + len(optional)


def test_dialog_makes_a_project_that_runs(dlt: Command, sandbox: Sandbox) -> None:
    dialog = [
        ("Platform (chat, freshchat, dixa", "chat"),
        ("chat.api_url: ", sandbox.url),
        ("chat.api_key (hidden): ", "of-another-account"),
        ("Enter them again? [Y/n]: ", "y"),
        ("chat.api_url: ", sandbox.url),
        ("chat.api_key (hidden): ", API_KEY),
        ("start_date: ", "yesterday"),
        ("start_date: ", "2024-01-01"),
    ]
    command = [str(BIN / "dlt"), "singer", "init"]
    shown, code = in_dialog(command, dialog, cwd=dlt.folder, env=dlt.env)
    assert code == 0, shown
    assert "returned 401 Unauthorized. The setting chat.api_key is wrong or expired" in shown
    assert API_KEY not in shown
    assert "of-another-account" not in shown
    script = [sys.executable, "tap_chat_pipeline.py"]
    for rows in (450, 700):
        sandbox.world = World(messages=rows)
        run = subprocess.run(script, cwd=dlt.folder, env=dlt.env, capture_output=True, check=False)
        assert run.returncode == 0, run.stderr.decode()
        assert API_KEY.encode() not in run.stdout + run.stderr
        with duckdb.connect(str(dlt.folder / "tap_chat.duckdb"), read_only=True) as database:
            count = "select count(*) from tap_chat_dataset.chat_messages"
            assert database.execute(count).fetchall() == [(rows,)]
    secrets = dlt.folder / ".dlt" / "secrets.toml"
    config = tomllib.loads(secrets.read_text())["sources"]["singer"]["tap_chat"]["config"]
    assert config["start_date"] == "2024-01-01"
    again = dlt("singer", "init", "--platform", "chat", "--no-test")
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
    # For another platform, the file has the settings of all platforms already.
    (dlt.folder / "tap_chat_pipeline.py").unlink()
    dlt.environment = {"TAP_CHAT_START_DATE": "2025-01-01", "TAP_CHAT_DIXA_API_TOKEN": "t"}
    done = dlt.process("singer", "init", "--platform", "dixa", "--no-test")
    assert done.returncode == 0, done.stderr
    assert "start_date: as in .dlt/secrets.toml, for all platforms" in done.stderr
    config = tomllib.loads(secrets.read_text())["sources"]["singer"]["tap_chat"]["config"]
    assert config["start_date"] == "2024-01-01"
    assert config["dixa"] == {"api_token": "t"}


def test_dialog_that_ends_writes_nothing(dlt: Command) -> None:
    # Ctrl-D.
    dialog = [("chat.api_url: ", "\x04")]
    command = [str(BIN / "dlt"), "singer", "init", "--platform", "chat"]
    shown, code = in_dialog(command, dialog, cwd=dlt.folder, env=dlt.env)
    assert code == 1
    assert "Nothing was written, because the dialog was ended." in shown
    assert not (dlt.folder / "tap_chat_pipeline.py").exists()


def test_init_without_a_terminal_asks_nothing(dlt: Command, sandbox: Sandbox) -> None:
    dlt.environment = {"TAP_CHAT_CHAT_API_URL": sandbox.url}
    done = dlt.process("singer", "init", "--platform", "chat")
    assert done.returncode == 0, done.stderr
    assert "Before, fill in chat.api_key." in done.stderr
    dlt.environment["TAP_CHAT_CHAT_API_KEY"] = "wrong-key"
    (dlt.folder / "tap_chat_pipeline.py").unlink()
    done = dlt.process("singer", "init", "--platform", "chat")
    assert done.returncode == 1
    assert "Nothing was written, because the test failed." in done.stderr
    assert "wrong-key" not in done.stderr + done.stdout
    assert not (dlt.folder / "tap_chat_pipeline.py").exists()
    done = dlt.process("singer", "init", "--platform", "chatt")
    assert "tap-chat has no platform `chatt`. It has: chat, freshchat," in done.stderr


@pytest.mark.parametrize("name", ['tap-x"); print("INJECTED"); ("', "tap-'y\n\\n", "tap-{z}"])
def test_name_of_a_tap_is_a_text_in_the_script(dlt: Command, name: str) -> None:
    tap = dlt.folder / name
    about = {
        "settings": {
            "properties": {
                'a "key"': {"type": "string"},
                "a section\n[b]": {"properties": {"x": {}}, "additionalProperties": False},
            }
        }
    }
    tap.write_text(f"#!{sys.executable}\nprint({json.dumps(about)!r})\n")
    tap.chmod(0o700)
    done = dlt("singer", "init", str(tap))
    assert done.returncode == 0, done.stderr
    [script] = dlt.folder.glob("*_pipeline.py")
    tree = ast.parse(script.read_text())
    assert str(tap) in [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert "INJECTED" not in [
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)
    ]
    text = (dlt.folder / ".dlt" / "secrets.toml").read_text()
    [config] = tomllib.loads(text.replace("#", ""))["sources"]["singer"].values()
    assert config["config"].keys() == {'a "key"', "a section\n[b]"}
    requirements = (dlt.folder / "requirements.txt").read_text().splitlines()
    assert [line.startswith("#") for line in requirements] == [True, False, False, True]
    assert requirements[-1].endswith("environment of its own (uv tool install, pipx).")
    # The extra has the newest DuckDB that dlt can use.
    assert requirements[1].startswith("tap-chat[duckdb] @ ")

"""`dlt singer init`: a pipeline script of a tap, as `dlt init` writes one of a source."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit import TOMLDocument

from dlt_bridge.errors import BridgeError
from dlt_bridge.lines import name_of
from dlt_bridge.process import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCRIPT = '''"""Load {tap} into {destination}: python {script}."""

import dlt

from dlt_bridge import load, singer


def main() -> None:
    """Load what is new since the last run, and commit every two minutes."""
    pipeline = dlt.pipeline("{name}", destination="{destination}", dataset_name="{name}_data")
    # The tap's settings are in .dlt/secrets.toml, in [sources.singer.{name}.config].
    source = singer("{tap}")
    for info in load(pipeline, source):
        print(info)


if __name__ == "__main__":
    main()
'''
IGNORED = (".dlt/secrets.toml", "*.duckdb")
REQUIREMENTS = ("tap-chat[dlt]", "dlt[{destination}]>=1.31")
#: Settings that each tap of the SDK has, and that few need.
BUILT_IN = re.compile("stream_maps?|stream_map_config|faker_config|flattening_.*|batch_config")


def write(folder: Path, tap: str, destination: str) -> Iterator[str]:
    """Write a project for a tap. Files that are there are added to, never changed.

    Args:
        folder: Where to write it.
        tap: The tap's executable.
        destination: The name of a dlt destination.

    Yields:
        A sentence for each file.

    Raises:
        BridgeError: There is no such tap, or the script is there already.
    """
    name = name_of([tap])
    settings = _settings(tap)
    script = folder / f"{name}_pipeline.py"
    if script.exists():
        raise BridgeError(f"{script} is there already. Move it away to have a new one.")
    words = {"tap": tap, "name": name, "destination": destination, "script": script.name}
    script.write_text(SCRIPT.format(**words), encoding="utf-8")
    yield f"{script}: the pipeline."
    (folder / ".dlt").mkdir(exist_ok=True)
    secrets = folder / ".dlt" / "secrets.toml"
    if _add(secrets, name, settings):
        yield f"{secrets}: the settings of {tap}. Fill them in; see `{tap} --about`."
    else:
        yield f"{secrets} has settings of {tap} already."
    secrets.chmod(0o600)
    ignored = folder / ".gitignore"
    there = ignored.read_text(encoding="utf-8").splitlines() if ignored.exists() else []
    if new := [line for line in IGNORED if line not in there]:
        ignored.write_text("\n".join([*there, *new, ""]), encoding="utf-8")
        yield f"{ignored}: the secrets stay out of commits."
    requirements = folder / "requirements.txt"
    if not requirements.exists():
        lines = [line.format(**words) for line in REQUIREMENTS]
        if name != "tap_chat":
            lines.append(Path(tap).name)
        requirements.write_text("\n".join([*lines, ""]), encoding="utf-8")
        yield f"{requirements}: what to install."
    yield f"Then: python {script.name}"


def _settings(tap: str) -> Mapping[str, Any]:
    """Return the JSON Schema of a tap's settings, which taps of the SDK tell; else nothing."""
    command = Tap(tap, {}).command
    told = subprocess.run(  # noqa: S603 - the user's own tap
        [*command, "--about", "--format=json"], capture_output=True, check=False
    )
    try:
        settings: dict[str, Any] = json.loads(told.stdout)["settings"]
    except (ValueError, KeyError, TypeError):
        return {}
    return settings


def _add(path: Path, name: str, settings: Mapping[str, Any]) -> bool:
    """Add a table for the config of a tap to secrets.toml; say whether there was none."""
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else TOMLDocument()
    if name in document.get("sources", {}).get("singer", {}):
        return False
    text = path.read_text(encoding="utf-8").rstrip() + "\n\n" if path.exists() else ""
    lines = _lines(f"sources.singer.{name}.config", settings)
    path.write_text(text + "\n".join(lines) + "\n", encoding="utf-8")
    return True


def _lines(table: str, settings: Mapping[str, Any], mark: str = "") -> Iterator[str]:
    """Yield the lines of a table with settings; those that may be missing as comments."""
    yield f"{mark}[{table}]"
    required = settings.get("required", ())
    sections = {}
    for name, setting in settings.get("properties", {}).items():
        if BUILT_IN.fullmatch(name):
            continue
        if setting.get("additionalProperties") is False and "properties" in setting:
            sections[name] = setting
        elif name in required:
            yield f"{mark}{name} = {_example(setting)}"
        elif "default" not in setting or setting["default"] is None:
            # Those with a default are for `--about`.
            yield f"# {name} = {_example(setting)}"
    for name, section in sections.items():
        yield ""
        yield from _lines(f"{table}.{name}", section, mark if name in required else "# ")


def _example(setting: Mapping[str, Any]) -> str:
    """Return a value to be replaced, as TOML."""
    for example in setting.get("examples", ()):
        if isinstance(example, (str, int, float, bool)):
            return json.dumps(example)
    kinds = (setting.get("anyOf") or [setting])[0].get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    return {"integer": "0", "number": "0.0", "boolean": "false", "object": "{}", "array": "[]"}.get(
        kind, '"..."'
    )

"""`dlt singer init`: writes a pipeline script for a tap, as `dlt init` does for a source."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.configuration.specs.base_configuration import (
    extract_inner_hint,
    is_base_configuration_inner_hint,
    is_hint_not_resolvable,
)
from dlt.common.typing import is_optional_type

from dlt_bridge.destinations.dlt_private import suggested_settings
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.pipelines import PipelineSpec, make_destination
from dlt_bridge.tap.inputs import default_source_name
from dlt_bridge.tap.process import Tap
from tap_chat.config.private_files import PRIVATE, ignore
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dlt.common.configuration.specs import BaseConfiguration

SCRIPT = '''"""Load {name} into {destination}: python {script}."""

import sys
{imports}
import dlt

from dlt_bridge import BridgeError, load, singer

{destination_line}

def main() -> None:
    """Load what is new since the last run, and commit every two minutes."""
    pipeline = dlt.pipeline("{name}", destination=DESTINATION, dataset_name="{name}_dataset")
    # The tap's settings are in .dlt/secrets.toml, in [sources.singer.{name}.config].
    source = singer({tap})
    for info in load(pipeline, source):
        print(info)


if __name__ == "__main__":
    try:
        main()
    except BridgeError as error:
        sys.exit(str(error))
'''
#: Code for destinations that are files. dlt would resolve their path from the folder of the first
#: run.
FILES = {
    "duckdb": """# Next to this script, from whichever folder it is run.
DESTINATION = dlt.destinations.duckdb(str(Path(__file__).resolve().with_name("{name}.duckdb")))
""",
}
SECRETS = ".dlt/secrets.toml"
IGNORED = (SECRETS, "*.duckdb")
REQUIREMENTS = (
    "# There is no release of tap-chat, which has the bridge, at PyPI yet.",
    "tap-chat[{extra}] @ git+https://github.com/tap-chat/tap-chat",
    "dlt[{destination}]>=1.31",
)
#: Destinations for which there is an extra, with the versions of their packages that dlt needs.
EXTRAS = ("duckdb", "postgres")
#: Arguments of `singer` that suit any tap.
OPTIONS: dict[str, Any] = {
    "properties": {
        "select": {"type": "array", "examples": [["*"]]},
        "nested": {"type": "string", "examples": ["json"]},
        "hard_delete": {"type": "boolean"},
        "on_bad_stream": {"type": "string", "examples": ["fail"]},
        "add_record_metadata": {"type": "boolean"},
    }
}
#: The most characters of a line of a comment.
WIDTH = 100
#: Settings that every tap of the SDK has, and few users need.
BUILT_IN = re.compile("stream_maps?|stream_map_config|faker_config|flattening_.*|batch_config")


def write(
    folder: Path,
    tap: str,
    destination: str,
    *,
    given: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any],
) -> Iterator[str]:
    """Write a project for a tap. Existing files are added to, and never changed.

    Args:
        folder: The folder of the project.
        tap: The tap's executable.
        destination: The name of a dlt destination.
        settings: The JSON Schema of the tap's settings.
        given: The values of some settings, with sections as objects: others are left out. None for
            all, as comments.

    Yields:
        A sentence for each file.

    Raises:
        BridgeError: There is no such tap, or the script exists.
    """
    name = default_source_name([tap])
    credentials = _credentials(destination)
    script = folder / f"{name}_pipeline.py"
    if script.exists():
        raise BridgeError(f"{script} exists already. Move it away to create a new one.")
    words = {"name": name, "destination": destination, "script": script.name}
    (folder / ".dlt").mkdir(exist_ok=True)
    secrets, config = folder / SECRETS, folder / ".dlt" / "config.toml"
    secrets.touch(mode=PRIVATE)
    table = _settings_table(tap)
    # First, because it may be refused.
    written = list(_write_settings(secrets, tap, table, settings, given))
    script.write_text(_script(tap, words), encoding="utf-8")
    yield f"{script}: the pipeline."
    yield from written
    if credentials and _add(secrets, f"destination.{destination}", credentials):
        yield f"{secrets}: the credentials of {destination}. Fill them in."
    if _add(config, f"sources.singer.{name}", OPTIONS):
        yield f"{config}: what to load, and how."
    if ignore(folder, IGNORED):
        yield f"{folder / '.gitignore'}: the secrets stay out of commits."
    yield from _write_requirements(folder, tap, words)
    yield f"Then: python {script.name}"


def existing_settings(folder: Path, tap: str) -> dict[str, Any]:
    """Return the settings of a tap that a project has.

    Args:
        folder: The folder of the project.
        tap: The tap's executable.
    """
    existing = _table(folder / SECRETS, _settings_table(tap))
    return existing if isinstance(existing, dict) else {}


def _settings_table(tap: str) -> str:
    return f"sources.singer.{default_source_name([tap])}.config"


def _table(path: Path, table: str) -> Any:  # noqa: ANN401
    """Return a table of a TOML file; None if there is none."""
    # It is valid TOML, because dlt has read it before.
    found: Any = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for part in table.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _write_settings(
    secrets: Path,
    tap: str,
    table: str,
    settings: Mapping[str, Any],
    given: Mapping[str, Any] | None,
) -> Iterator[str]:
    """Add the settings of the tap to the file of secrets, and say so."""
    if given is None:
        if _add(secrets, table, settings):
            shown = printable(tap)
            yield f"{secrets}: the settings of {shown}. Fill them in; see `{shown} --about`."
        return
    top = {name: value for name, value in given.items() if not isinstance(value, dict)}
    properties = settings["properties"]
    if top and not _add(
        secrets, table, {"properties": {name: properties[name] for name in top}}, top
    ):
        lines = " and ".join(f"`{name} = {_toml(value)}`" for name, value in top.items())
        yield f"{secrets} has a table {table} already. Add {lines} to it."
    for section in (name for name in given if name not in top):
        name = f"{table}.{section}"
        if not _add(secrets, name, properties[section], given[section]):
            raise BridgeError(f"{secrets} has a table {name} already. Remove it to write another.")
        yield f"{secrets}: the settings of {section}."


def _write_requirements(folder: Path, tap: str, words: Mapping[str, str]) -> Iterator[str]:
    """Write what to install, and say so, unless there is such a file."""
    requirements = folder / "requirements.txt"
    if not requirements.exists():
        extra = words["destination"] if words["destination"] in EXTRAS else "dlt"
        lines = [line.format(**words, extra=extra) for line in REQUIREMENTS]
        if words["name"] != "tap_chat":
            # Not as a requirement: a registry may have another package by the name of a path, and
            # the tap's pins may conflict with those of dlt.
            lines.append(
                f"# {printable(Path(tap).name)} is not here: install it in an environment of its"
                " own (uv tool install, pipx)."
            )
        requirements.write_text("\n".join([*lines, ""]), encoding="utf-8")
        yield f"{requirements}: what to install."


def _script(tap: str, words: Mapping[str, str]) -> str:
    """Return the pipeline script."""
    file = FILES.get(words["destination"])
    return SCRIPT.format(
        **words,
        tap=json.dumps(tap),
        imports="from pathlib import Path\n" if file else "",
        destination_line=(file or 'DESTINATION = "{destination}"\n').format(**words),
    )


def settings_schema(tap: str) -> dict[str, Any]:
    """Return the JSON Schema of a tap's settings from `--about`; empty if the tap has none."""
    command = Tap(tap, {}).command
    about = subprocess.run(  # noqa: S603 - the user's own tap
        [*command, "--about", "--format=json"], capture_output=True, check=False
    )
    try:
        settings: dict[str, Any] = json.loads(about.stdout)["settings"]
    except (ValueError, KeyError, TypeError):
        return {}
    return settings


def _credentials(destination: str) -> dict[str, Any]:
    """Return the settings that a destination needs, as a JSON Schema like that of a tap."""
    spec = make_destination(PipelineSpec(destination=destination, pipeline="none")).spec
    return _fields(spec)


def _fields(spec: type[BaseConfiguration]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, hint in spec.get_resolvable_fields().items():
        # Those that dlt itself writes in `dlt init`.
        is_suggested = name in suggested_settings(spec) or not (
            is_optional_type(hint) or getattr(spec, name, None) is not None
        )
        if not is_suggested or is_hint_not_resolvable(hint):
            continue
        inner = extract_inner_hint(hint)
        if not is_base_configuration_inner_hint(inner):
            default = getattr(spec, name, None)
            properties[name] = {"examples": [] if default is None else [default]}
        elif (within := _fields(inner)) and "bucket_url" not in properties:
            properties[name] = within
    if not properties:
        return {}
    return {"properties": properties, "required": list(properties), "additionalProperties": False}


def _add(
    path: Path,
    table: str,
    settings: Mapping[str, Any],
    given: Mapping[str, Any] | None = None,
) -> bool:
    """Add a table of settings to a TOML file, and return False if it has the table already."""
    if _table(path, table) is not None:
        return False
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    before = f"{text.rstrip()}\n\n" if text.strip() else ""
    lines = "\n".join(_lines(table, settings, given or {}))
    path.write_text(f"{before}{lines}\n", encoding="utf-8")
    return True


def _lines(
    table: str, settings: Mapping[str, Any], given: Mapping[str, Any], sign: str = ""
) -> Iterator[str]:
    """Yield the lines of a table with settings.

    Args:
        table: The name of the table.
        settings: The JSON Schema of the settings.
        given: Their values. Others get an example, and are comments unless they are required.
        sign: `#`, if the whole table is a comment.
    """
    yield f"{sign}[{table}]"
    required = settings.get("required", ())
    sections = {}
    for name, setting in settings.get("properties", {}).items():
        if BUILT_IN.fullmatch(name):
            continue
        if setting.get("additionalProperties") is False and "properties" in setting:
            sections[name] = setting
        elif name in given:
            yield from _described(setting)
            yield f"{_key(name)} = {_toml(given[name])}"
        elif name in required:
            yield from _described(setting)
            yield f"{sign}{_key(name)} = {_example(setting)}"
        elif setting.get("default") is None:
            # `--about` lists those with a default.
            yield from _described(setting)
            yield f"#{_key(name)} = {_example(setting)}"
    for name, section in sections.items():
        yield ""
        yield from _described(section)
        yield from _lines(f"{table}.{_key(name)}", section, {}, sign if name in required else "#")


def _described(setting: Mapping[str, Any]) -> Iterator[str]:
    """Yield the description of a setting as comments, which have a space after the sign."""
    text = " ".join(setting.get("description", "").split())
    yield from textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def _toml(value: Any) -> str:  # noqa: ANN401
    """Return a value of JSON as TOML, which has the same texts, numbers and lists."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_key(name)} = {_toml(part)}' for name, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    """Return a name as a key of TOML."""
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else json.dumps(name)


def _example(setting: Mapping[str, Any]) -> str:
    """Return an example of the setting's value, as TOML."""
    for example in (*setting.get("examples", ()), *setting.get("enum", ())):
        if isinstance(example, (str, int, float, bool, list)):
            return json.dumps(example)
    if parts := setting.get("anyOf") or setting.get("oneOf"):
        return _example(parts[0])
    types = setting.get("type", "string")
    json_type = types if isinstance(types, str) else types[0]
    if json_type in {"integer", "number"}:
        least = setting.get("minimum", setting.get("exclusiveMinimum", -1) + 1)
        return json.dumps(least if json_type == "integer" else float(least))
    return {"boolean": "false", "object": "{}", "array": "[]"}.get(json_type, '"..."')

"""Write the settings of README.md, docs/ and meltano.yml from `tap-chat --about`.

`make tables` runs it; a test fails when it would change a file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Setting = tuple[str, dict[str, Any], bool]

ROOT = Path(__file__).parent.parent
#: The pages of the platforms, by their section of the config.
PAGES = {"chat": "messages", "freshchat": "freshchat", "dixa": "dixa", "livechat": "livechat"}
# Meltano has no `number`, and its `decimal` can't be written into a tap's config (4.4).
KINDS = {
    "string": "string",
    "integer": "integer",
    "number": "integer",
    "boolean": "boolean",
    "object": "object",
}


def flat(schema: Mapping[str, Any], at: str = "") -> Iterator[Setting]:
    """Yield name, schema and whether it is required of every setting, sections before theirs."""
    for name, setting in schema["properties"].items():
        yield f"{at}{name}", setting, name in schema.get("required", ())
        if is_section(setting):
            yield from flat(setting, f"{at}{name}.")


def is_section(setting: Mapping[str, Any]) -> bool:
    """Say whether a setting is an object of settings, rather than a value for the user to make."""
    return setting.get("additionalProperties") is False


def meltano_settings(schema: Mapping[str, Any]) -> str:
    """Return the `settings` of the extractor in meltano.yml."""
    lines = ["    settings:"]
    for name, setting, _ in flat(schema):
        if is_section(setting):
            continue
        lines += [
            f"    - name: {name}",
            f"      kind: {kind(setting)}",
            f"      label: {setting.get('title', name)}",
            f"      description: {json.dumps(described(setting), ensure_ascii=False)}",
        ]
        if "enum" in setting:
            options = ", ".join(f"{{label: {value}, value: {value}}}" for value in setting["enum"])
            lines.append(f"      options: [{options}]")
        if setting.get("secret"):
            lines.append("      sensitive: true")
    return "\n".join(lines)


def kind(setting: Mapping[str, Any]) -> str:
    """Return Meltano's kind of a setting."""
    if "enum" in setting:
        return "options"
    names = setting.get("type") or setting["anyOf"][0]["type"]
    name = names if isinstance(names, str) else names[0]
    return "date_iso8601" if setting.get("format") == "date-time" else KINDS[name]


def described(setting: Mapping[str, Any]) -> str:
    """Return the description of a setting in one line."""
    return " ".join(setting["description"].split())


def table(settings: Iterable[Setting]) -> str:
    """Return a table of settings for readers."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for name, setting, required in settings:
        if is_section(setting):
            lines.append(f"| **`{name}`** | | {setting['description']} |")
            continue
        default = setting.get("default")
        shown = "**required**" if required else "" if default is None else f"`{default!s}`"
        lines.append(f"| `{name}` | {shown} | {described(setting)} |")
    return "\n".join(lines)


def replaced(text: str, new: str) -> str:
    """Return a text with what stands between its markers replaced."""
    pattern = re.compile(r"(settings: begin[^\n]*\n).*?(\n[^\n]*settings: end)", re.DOTALL)
    changed, count = pattern.subn(lambda match: f"{match[1]}{new}{match[2]}", text)
    if count != 1:
        raise ValueError("there must be one pair of markers")
    return changed


def tables() -> dict[Path, str]:
    """Return the text that each file should have."""
    about = [sys.executable, "-m", "tap_chat", "--about", "--format=json"]
    schema = json.loads(subprocess.check_output(about))["settings"]
    made = {"meltano.yml": meltano_settings(schema), "README.md": table(flat(schema))}
    for section, page in PAGES.items():
        made[f"docs/{page}.md"] = table(flat(schema["properties"][section], f"{section}."))
    # Those before the sections; those behind them are the SDK's.
    whole = takewhile(lambda setting: not is_section(setting[1]), flat(schema))
    made["docs/tap.md"] = table(whole)
    return {ROOT / name: replaced((ROOT / name).read_text(), new) for name, new in made.items()}


if __name__ == "__main__":
    for path, text in tables().items():
        path.write_text(text)
        print(f"wrote {path.name}")

"""Write the settings of docs/ and meltano.yml from the plugins' `--about`.

`make tables` runs it; a test fails if it would change a file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes  # type: ignore[import-untyped]
from docutils.core import publish_doctree  # type: ignore[import-untyped]
from myst_parser.parsers.docutils_ import Parser

from tap_chat.docs import HEADINGS
from tap_chat.platforms.registry import BUILT_IN, SHIPPED
from tap_chat.sandbox.cli import CONFIG_FILE
from tap_chat.sandbox.declarations import settings_of
from tap_chat.sandbox.options import Options
from tap_chat.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Setting = tuple[str, dict[str, Any], bool]

ROOT = Path(__file__).parent.parent
TAP, TARGET = "tap-chat", "target-dlt"
# Meltano has no `number`, and its `decimal` can't be written into a tap's config (4.4).
KINDS = {
    "string": "string",
    "integer": "integer",
    "number": "integer",
    "boolean": "boolean",
    "object": "object",
    "array": "array",
}


def about(executable: str) -> dict[str, Any]:
    """Return the `--about` of a plugin in this environment."""
    command = [str(Path(sys.executable).parent / executable), "--about", "--format=json"]
    found: dict[str, Any] = json.loads(subprocess.check_output(command))
    return found


def flat(schema: Mapping[str, Any], at: str = "") -> Iterator[Setting]:
    """Yield the name and schema of every setting, and whether it is required; sections first."""
    for name, setting in schema["properties"].items():
        yield f"{at}{name}", setting, name in schema.get("required", ())
        if is_section(setting):
            yield from flat(setting, f"{at}{name}.")


def is_section(setting: Mapping[str, Any]) -> bool:
    """Return whether a setting is a section, an object with settings of its own."""
    return setting.get("additionalProperties") is False


def settings(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield Meltano's definition of every setting."""
    for name, setting, _ in flat(schema):
        if is_section(setting):
            continue
        definition = {
            "name": name,
            "kind": kind(setting),
            "label": setting.get("title", name),
            "description": described(setting),
        }
        if definition["kind"] == "options":
            definition["options"] = [{"label": value, "value": value} for value in setting["enum"]]
        if setting.get("secret"):
            definition["sensitive"] = True
        yield definition


def kind(setting: Mapping[str, Any]) -> str:
    """Return Meltano's kind of a setting."""
    if "enum" in setting:
        # Meltano compares options with the text of a variable, which never equals a number (4.4).
        return "options" if isinstance(setting["enum"][0], str) else "integer"
    names = setting.get("type") or setting["anyOf"][0]["type"]
    name = names if isinstance(names, str) else next(name for name in names if name != "null")
    return "date_iso8601" if setting.get("format") == "date-time" else KINDS[name]


def described(setting: Mapping[str, Any]) -> str:
    """Return the description of a setting in one line."""
    return " ".join(setting["description"].split())


def default(setting: Mapping[str, Any]) -> str:
    """Return the default of a setting as Markdown, or an empty text without a default."""
    value = setting.get("default")
    return "" if value is None else f"`{value}`"


def meltano_settings(schema: Mapping[str, Any]) -> str:
    """Return the `settings` of a plugin in meltano.yml."""
    lines = ["    settings:"]
    for setting in settings(schema):
        lines += [
            f"    - name: {setting['name']}",
            f"      kind: {setting['kind']}",
            f"      label: {setting['label']}",
            f"      description: {json.dumps(setting['description'], ensure_ascii=False)}",
        ]
        if "options" in setting:
            options = ", ".join(
                "{{label: {label}, value: {value}}}".format(**option)
                for option in setting["options"]
            )
            lines.append(f"      options: [{options}]")
        if "sensitive" in setting:
            lines.append("      sensitive: true")
    return "\n".join(lines)


def table(settings: Iterable[Setting]) -> str:
    """Return a Markdown table of settings."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for name, setting, required in settings:
        if is_section(setting):
            lines.append(f"| **`{name}`** | | {setting['description']} |")
            continue
        shown = "**required**" if required else default(setting)
        lines.append(f"| `{name}` | {shown} | {described(setting)} |")
    return "\n".join(lines)


def all_settings(tap: Mapping[str, Any]) -> str:
    """Return the settings of the tap for readers: a heading and a table for each part."""
    pages = {platform.name: platform.page for platform in (*BUILT_IN, *SHIPPED)}
    sections = [name for name, setting in tap["properties"].items() if name in pages]
    whole = [item for item in flat(tap) if item[0].partition(".")[0] not in pages]
    of_tap = list(takewhile(lambda item: not is_section(item[1]), whole))
    parts = [
        ("The whole tap", "At the top level of the config.", of_tap),
        *(
            (name, f"[The page of the platform]({pages[name]}.md) explains them.", own)
            for name in sections
            if (own := [item for item in flat(tap) if item[0].startswith(f"{name}.")])
        ),
        ("Batches, stream maps and flattening", "Of the Meltano SDK.", whole[len(of_tap) :]),
    ]
    return "\n\n".join(f"## {title}\n\n{text}\n\n{table(own)}" for title, text, own in parts)


def replaced(text: str, plugin: str, new: str) -> str:
    """Return a text with a new part between the markers of a plugin."""
    pattern = re.compile(
        rf"((?:<!--|#) {plugin} settings: begin[^\n]*\n).*?([^\n]*{plugin} settings: end)",
        re.DOTALL,
    )
    changed, count = pattern.subn(lambda match: f"{match[1]}{new}\n{match[2]}", text)
    if count != 1:
        raise ValueError(f"there must be one pair of markers of {plugin}")
    return changed


def sandbox_table() -> str:
    """Return a table of the flags of the sandbox for readers."""
    lines = ["| option | what it is |", "|---|---|"]
    lines.append("| `--port` | Port on 127.0.0.1; 0, the default, for a free one. |")
    lines.append(f"| `--write-config` | {CONFIG_FILE.help} |")
    lines.append("| `--version` | The version of tap-chat. |")
    for setting in (*settings_of(World), *settings_of(Options)):
        *others, last = (f"`{choice}`" for choice in setting.choices or ("",))
        choices = f" {', '.join(others)} or {last}." if others else ""
        lines.append(f"| `{setting.flag}` | {setting.description}{choices} |")
    return "\n".join(lines)


def headings() -> str:
    """Return the anchors and texts of the errors in docs/troubleshooting.md, a line for each."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    # Links of MyST to other pages are of no use here.
    quiet = {"report_level": 5}
    tree = publish_doctree(page, parser=Parser(), settings_overrides=quiet)
    sections = [part for part in tree.findall(nodes.section) if not part.next_node(nodes.section)]
    return "".join(f"{part['ids'][0]}\t{part[0].astext()}\n" for part in sections)


def tables() -> dict[Path, str]:
    """Return the text that each file should have."""
    tap, target = (about(plugin)["settings"] for plugin in (TAP, TARGET))
    made = [
        ("meltano.yml", TAP, meltano_settings(tap)),
        ("meltano.yml", TARGET, meltano_settings(target)),
        ("docs/settings.md", TAP, all_settings(tap)),
        ("docs/target-dlt.md", TARGET, table(flat(target))),
        ("docs/sandbox.md", "sandbox", sandbox_table()),
    ]
    for platform in (*BUILT_IN, *SHIPPED):
        shown = flat(tap["properties"][platform.name], f"{platform.name}.")
        made.append((f"docs/{platform.page}.md", TAP, table(shown)))
    texts: dict[Path, str] = {}
    for name, plugin, new in made:
        path = ROOT / name
        texts[path] = replaced(texts.get(path) or path.read_text(), plugin, new)
    texts[ROOT / "tap_chat" / HEADINGS] = headings()
    return texts


if __name__ == "__main__":
    for path, text in tables().items():
        path.write_text(text)
        print(f"wrote {path.name}")

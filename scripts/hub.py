"""Write what MeltanoHub wants to know of the plugins, from their `--about`, into `hub/`.

`make tables` runs it; a test fails when it would change a file. The files are laid out as in
`_data/meltano` of https://github.com/meltano/hub and sorted as its linter asks.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

from ruamel.yaml import YAML
from tables import ROOT, about, default, flat, is_section, settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REPOSITORY = "https://github.com/tap-chat/tap-chat"
DOCUMENTATION = "https://tap-chat.readthedocs.io"
#: The Hub's name for whoever maintains a plugin: the owner of its repository.
VARIANT = REPOSITORY.split("/")[-2]


@dataclass(frozen=True)
class Plugin:
    """What the Hub asks for and `--about` does not tell.

    Attributes:
        name: Of the plugin, and its executable.
        kind: The Hub's folder.
        label: What it reads or loads, in a few words.
        pip_url: What pip installs.
        preamble: Markdown to stand before the settings.
        keywords: `meltano_sdk` says what a plugin is made with; it counts for the Hub's quality.
    """

    name: str
    kind: Literal["extractors", "loaders"]
    label: str
    pip_url: str
    preamble: str = ""
    keywords: tuple[str, ...] = ("meltano_sdk",)

    @property
    def path(self) -> Path:
        """Where its definition is."""
        return ROOT / "hub" / self.kind / self.name / f"{VARIANT}.yml"


PLUGINS = (
    Plugin(
        name="tap-chat",
        kind="extractors",
        label="Chat platforms: Freshchat, Dixa, LiveChat",
        pip_url="tap-chat",
        preamble="A platform is read when one of its settings is set; leave the others unset.",
    ),
    Plugin(
        name="target-dlt",
        kind="loaders",
        label="Any destination of dlt",
        pip_url="tap-chat[duckdb]",
        preamble=(
            "Another destination than DuckDB needs its packages: `pip_url` is then such as"
            " `tap-chat[dlt] dlt[bigquery]`."
        ),
    ),
)


def definition(plugin: Plugin, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Hub's definition of a plugin.

    Args:
        plugin: The plugin.
        told: Its `--about --format=json`.
    """
    schema = told["settings"]
    defined = {
        "name": plugin.name,
        "namespace": plugin.name.replace("-", "_"),
        "variant": VARIANT,
        "label": plugin.label,
        "description": told["description"],
        "logo_url": f"/assets/logos/{plugin.kind}/{plugin.name}.svg",
        "domain_url": DOCUMENTATION,
        "docs": DOCUMENTATION,
        "repo": REPOSITORY,
        "pip_url": plugin.pip_url,
        "executable": plugin.name,
        "capabilities": sorted(told["capabilities"]),
        "keywords": sorted(plugin.keywords),
        "maintenance_status": "active",
        # The Hub computes it.
        "quality": "unknown",
        "settings": sorted(with_defaults(schema), key=lambda setting: str(setting["name"])),
        "settings_group_validation": groups(schema),
        "settings_preamble": plugin.preamble,
        "supported_python_versions": told["supported_python_versions"],
    }
    if "structured-logging" in told["capabilities"]:
        defined["log_parser"] = "singer-sdk"
    return defined


def with_defaults(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return Meltano's settings, with their defaults in the descriptions.

    In `value` Meltano would send them to the plugin, and so configure a section of which nothing
    else is set.
    """
    defaults = {name: default(setting) for name, setting, _ in flat(schema)}
    return [
        setting | {"description": f"{setting['description']} By default {shown}."}
        if (shown := defaults[setting["name"]])
        else setting
        for setting in settings(schema)
    ]


def groups(schema: Mapping[str, Any]) -> list[list[str]]:
    """Return the sets of settings of which one must be complete: those of any one section."""
    always = schema.get("required", [])
    sections = [
        [f"{name}.{inner}" for inner in section["required"]]
        for name, section in schema["properties"].items()
        if is_section(section) and section.get("required")
    ]
    return [sorted([*always, *section]) for section in sections or [[]]]


def as_yaml(defined: Mapping[str, Any]) -> str:
    """Return a definition as the Hub writes it, with the keys of all its mappings sorted."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.width = sys.maxsize
    out = StringIO()
    yaml.dump(defined, out)
    return out.getvalue()


def files() -> dict[Path, str]:
    """Return the text that each file should have."""
    return {plugin.path: as_yaml(definition(plugin, about(plugin.name))) for plugin in PLUGINS}


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")

"""Write the definitions for MeltanoHub in `hub/` from the plugins' `--about`.

`make tables` runs it; a test fails if it would change a file. The files have the layout of
`_data/meltano` in https://github.com/meltano/hub, and the order that its linter requires.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

from ruamel.yaml import YAML
from tables import ROOT, about, default, flat, is_section, settings

from tap_chat.platforms.registry import BUILT_IN, SHIPPED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REPOSITORY = "https://github.com/tap-chat/tap-chat"
DOCUMENTATION = "https://tap-chat.readthedocs.io"
#: The Hub's name for the maintainer of a plugin: the owner of its repository.
VARIANT = REPOSITORY.split("/")[-2]


@dataclass(frozen=True)
class Plugin:
    """The parts of a definition that `--about` does not have.

    Attributes:
        name: The name of the plugin and of its executable.
        kind: The Hub's folder.
        label: The platforms or destinations, in a few words.
        pip_url: The argument of pip.
        preamble: Markdown before the settings.
        keywords: With `meltano_sdk`, the Hub rates the quality of the plugin higher.
    """

    name: str
    kind: Literal["extractors", "loaders"]
    label: str
    pip_url: str
    preamble: str = ""
    keywords: tuple[str, ...] = ("meltano_sdk",)

    @property
    def path(self) -> Path:
        """The path of the definition."""
        return ROOT / "hub" / self.kind / self.name / f"{VARIANT}.yml"


#: The platforms, except the vendor-neutral messages API, which is the first.
VENDORS = ", ".join(platform.title for platform in (*BUILT_IN[1:], *SHIPPED))

PLUGINS = (
    Plugin(
        name="tap-chat",
        kind="extractors",
        label=f"Chat platforms: {VENDORS}",
        pip_url="tap-chat",
        preamble="The tap reads a platform if you set one of its settings. Leave the others unset.",
    ),
    Plugin(
        name="target-dlt",
        kind="loaders",
        label="Any destination of dlt",
        pip_url="tap-chat[duckdb]",
        preamble=(
            "For another destination than DuckDB, add its packages to `pip_url`, for example"
            " `tap-chat[dlt] dlt[bigquery]`."
        ),
    ),
)


def definition(plugin: Plugin, described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Hub's definition of a plugin.

    Args:
        plugin: The plugin.
        described: The output of `--about --format=json`.
    """
    schema = described["settings"]
    defined = {
        "name": plugin.name,
        "namespace": plugin.name.replace("-", "_"),
        "variant": VARIANT,
        "label": plugin.label,
        "description": described["description"],
        "logo_url": f"/assets/logos/{plugin.kind}/{plugin.name}.svg",
        "domain_url": DOCUMENTATION,
        "docs": DOCUMENTATION,
        "repo": REPOSITORY,
        "pip_url": plugin.pip_url,
        "executable": plugin.name,
        "capabilities": sorted(described["capabilities"]),
        "keywords": sorted(plugin.keywords),
        "maintenance_status": "active",
        # The Hub computes the quality.
        "quality": "unknown",
        "settings": sorted(with_defaults(schema), key=lambda setting: str(setting["name"])),
        "settings_group_validation": groups(schema),
        "settings_preamble": plugin.preamble,
        "supported_python_versions": described["supported_python_versions"],
    }
    if "structured-logging" in described["capabilities"]:
        defined["log_parser"] = "singer-sdk"
    return defined


def with_defaults(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return Meltano's settings, with their defaults in the descriptions.

    Meltano would send a default in `value` to the plugin, and so configure a section that the user
    has not set.
    """
    defaults = {name: default(setting) for name, setting, _ in flat(schema)}
    return [
        setting | {"description": f"{setting['description']} By default {shown}."}
        if (shown := defaults[setting["name"]])
        else setting
        for setting in settings(schema)
    ]


def groups(schema: Mapping[str, Any]) -> list[list[str]]:
    """Return the required settings of each platform; one of these sets must be complete.

    A section that requires sections is not that of a platform.
    """
    always = schema.get("required", [])
    sections = [
        [f"{name}.{inner}" for inner in section["required"]]
        for name, section in schema["properties"].items()
        if is_section(section)
        and section.get("required")
        and not any(is_section(section["properties"][inner]) for inner in section["required"])
    ]
    return [sorted([*always, *section]) for section in sections or [[]]]


def as_yaml(defined: Mapping[str, Any]) -> str:
    """Return a definition in the YAML of the Hub, with the keys of all mappings sorted."""
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

"""The definitions for MeltanoHub match the plugins, and the Hub accepts them."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML
from running import BIN

import hub
from tap_chat.platforms.registry import PLATFORMS

if TYPE_CHECKING:
    from pathlib import Path

# From schemas/ of https://github.com/meltano/hub: the definitions that its check accepts.
KEYS = {
    "capabilities", "commands", "definition", "description", "docs", "domain_url", "executable",
    "hidden", "keywords", "label", "log_parser", "logo_url", "maintenance_status", "name",
    "namespace", "next_steps", "pip_url", "prereq", "python", "quality", "repo", "requires",
    "settings", "settings_group_validation", "settings_preamble", "supported_python_versions",
    "usage", "variant",
}  # fmt: skip
SETTING_KEYS = {"description", "kind", "label", "name", "options", "sensitive"}
KINDS = {
    "array", "boolean", "date_iso8601", "decimal", "email", "file", "hidden", "integer", "oauth",
    "object", "options", "password", "string",
}  # fmt: skip
CAPABILITIES = {
    "extractors": {
        "about", "activate-version", "batch", "catalog", "discover", "log-based", "properties",
        "schema-flattening", "state", "stream-maps", "structured-logging", "test",
    },
    "loaders": {
        "about", "activate-version", "batch", "datatype-failsafe", "hard-delete",
        "schema-flattening", "soft-delete", "stream-maps", "structured-logging", "target-schema",
        "validate-records",
    },
}  # fmt: skip


def read(plugin: hub.Plugin) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(plugin.path)
    return found


def test_definitions_have_not_drifted() -> None:
    for path, text in hub.files().items():
        assert path.read_text() == text, f"{path} is old: run `make tables`"


@pytest.mark.parametrize("plugin", hub.PLUGINS, ids=lambda plugin: plugin.name)
def test_definition_passes_the_check_of_the_hub(plugin: hub.Plugin) -> None:
    definition = read(plugin)
    assert definition.keys() <= KEYS
    assert definition["name"] == plugin.path.parent.name
    assert definition["variant"] == plugin.path.stem
    assert set(definition["capabilities"]) <= CAPABILITIES[plugin.kind]
    assert "meltano_sdk" in definition["keywords"]
    logo = plugin.path.parent / definition["logo_url"].rpartition("/")[2]
    assert logo.read_text().startswith("<svg")
    names = [setting["name"] for setting in definition["settings"]]
    assert names == sorted(set(names))
    for setting in definition["settings"]:
        assert setting.keys() <= SETTING_KEYS
        assert setting["kind"] in KINDS
        assert setting["description"]
        assert setting["label"]
    needed = {name for group in definition["settings_group_validation"] for name in group}
    assert needed <= set(names)


def test_one_platform_is_enough() -> None:
    definition = read(hub.PLUGINS[0])
    assert ["dixa.api_token"] in definition["settings_group_validation"]
    secret = {setting["name"] for setting in definition["settings"] if setting.get("sensitive")}
    built_in = {"chat.api_key", "dixa.api_token", "freshchat.api_key", "livechat.access_token"}
    assert built_in <= secret
    # A declaration may hold a credential, which Meltano has filled in.
    sections = {platform.name for platform in PLATFORMS} | {"rest"}
    assert {name.partition(".")[0] for name in secret} == sections


def test_plugin_added_from_the_hub_gets_only_what_was_set(tmp_path: Path) -> None:
    """A default that Meltano sends would configure a platform that the user has not chosen."""
    plugin = hub.PLUGINS[0]
    lock = tmp_path / "plugins" / plugin.kind / f"{plugin.name}--{hub.VARIANT}.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps(read(plugin) | {"plugin_type": plugin.kind}))
    (tmp_path / "meltano.yml").write_text(
        "project_id: hub\nsend_anonymous_usage_stats: false\n"
        f"plugins: {{{plugin.kind}: [{{name: {plugin.name}, variant: {hub.VARIANT}}}]}}\n"
    )
    printed = subprocess.check_output(
        [str(BIN / "meltano"), "--log-level=error", "config", "print", plugin.name],
        cwd=tmp_path,
        env=os.environ | {"TAP_CHAT_DIXA_BATCH_SIZE": "7"},
    )
    assert json.loads(printed) == {"dixa": {"batch_size": 7}}


def test_loader_without_sections_has_one_group_of_settings() -> None:
    told = {
        "description": "Loads.",
        "capabilities": ["about", "activate-version"],
        "supported_python_versions": ["3.11"],
        "settings": {
            "properties": {
                "destination": {"type": "string", "description": "Where to."},
                "tables": {"type": ["null", "array"], "description": "Which.", "default": ["a"]},
            },
            "required": ["destination"],
        },
    }
    plugin = hub.Plugin("target-some", "loaders", "Some", "some", keywords=())
    definition = hub.definition(plugin, told)
    assert definition["settings_group_validation"] == [["destination"]]
    assert definition["keywords"] == []
    assert "log_parser" not in definition
    assert [(setting["kind"], setting["description"]) for setting in definition["settings"]] == [
        ("string", "Where to."),
        ("array", "Which. By default `['a']`."),
    ]
    assert plugin.path.parts[-4:] == ("hub", "loaders", "target-some", "tap-chat.yml")

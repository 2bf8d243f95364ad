"""A file with a declaration is a platform with settings of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_chat.config.parsing import json_schema, parse
from tap_chat.platforms.rest.shipped import shipped_platform, shipped_platforms

if TYPE_CHECKING:
    from pathlib import Path

    from tap_chat.platforms.platform import Platform
    from tap_chat.platforms.rest.streams import DeclaredStream

FILE = """
title: Desk
page: desk
description: The API of Desk.
settings:
  token: {title: Token, description: A token., secret: true}
  version: {title: Version, description: The version., default: "2"}
rate_limit: {requests: 40, seconds: 20}
next_link_hosts: ["*.desk.example.com"]
declaration:
  client:
    base_url: https://api.desk.example.com
    headers: {Version: "${version}"}
    auth: {type: bearer, token: "${token}"}
  resources:
    - {name: tickets, primary_key: id, endpoint: {path: tickets, data_selector: data}}
    - {name: notes, primary_key: id, endpoint: "tickets/{resources.tickets.id}/notes"}
streams:
  notes: {next_link_hosts: [files.example.com]}
"""


def desk(folder: Path, text: str = FILE) -> Platform:
    path = folder / "desk.yaml"
    path.write_text(text)
    return shipped_platform(path)


def configured(platform: Platform, **settings: Any) -> list[type[DeclaredStream]]:
    assert platform.of_section
    section = parse(settings, platform.settings)
    return cast("list[type[DeclaredStream]]", list(platform.of_section(section).streams))


def test_settings_of_the_file_are_those_of_the_section(tmp_path: Path) -> None:
    schema = json_schema(desk(tmp_path).settings)
    assert schema["required"] == ["token"]
    assert schema["properties"]["token"] == {
        "title": "Token",
        "description": "A token.",
        "type": "string",
        "secret": True,
        "writeOnly": True,
    }
    assert schema["properties"]["api_url"]["default"] == "https://api.desk.example.com"
    assert "requests_per_minute" in schema["properties"]


def test_settings_fill_the_declaration(tmp_path: Path) -> None:
    tickets, notes = configured(desk(tmp_path), token="t", version="3")
    assert (tickets.name, notes.name) == ("desk_tickets", "desk_notes")
    assert notes.parent_stream_type is tickets
    assert tickets.declared_client.headers == {"Version": "3"}
    assert msgspec.to_builtins(tickets.reading.endpoint.auth)["token"] == "t"
    assert tickets.is_configured


def test_the_setting_api_url_may_be_a_part_of_the_address(tmp_path: Path) -> None:
    text = FILE.replace(
        "base_url: https://api.desk.example.com", 'base_url: "${api_url}/${version}"'
    )
    setting = "  api_url: {title: URL, description: A URL., default: https://desk.example.com}\n"
    platform = desk(tmp_path, text.replace("rate_limit:", f"{setting}rate_limit:"))
    section = parse({"token": "t"}, platform.settings)
    assert platform.of_section
    found = platform.of_section(section)
    assert found.api_url == "https://desk.example.com/2"
    [tickets, _] = cast("list[type[DeclaredStream]]", list(found.streams))
    assert tickets.secrets == {"t"}


def test_streams_are_known_without_settings(tmp_path: Path) -> None:
    platform = desk(tmp_path)
    streams = cast("list[type[DeclaredStream]]", list(platform.streams))
    assert [stream.name for stream in streams] == ["desk_tickets", "desk_notes"]
    assert not any(stream.is_configured for stream in streams)
    assert platform.rate_limit == (40, 20)


def test_additions_are_those_of_the_resource_and_of_all(tmp_path: Path) -> None:
    tickets, notes = configured(desk(tmp_path), token="t")
    assert tickets.additions.next_link_hosts == ["*.desk.example.com"]
    assert notes.additions.next_link_hosts == ["*.desk.example.com", "files.example.com"]


def test_a_host_of_links_may_be_a_setting(tmp_path: Path) -> None:
    text = FILE.replace('["*.desk.example.com"]', '["${version}.desk.example.com"]')
    assert text != FILE
    tickets, _ = configured(desk(tmp_path, text), token="t", version="v2")
    assert tickets.additions.next_link_hosts == ["v2.desk.example.com"]


def test_unknown_additions_are_refused(tmp_path: Path) -> None:
    platform = desk(tmp_path, FILE.replace("{next_link_hosts: [files", "{next_link_host: [files"))
    with pytest.raises(ConfigValidationError, match="Did you mean `next_link_hosts`"):
        configured(platform, token="t")


def test_every_file_of_a_folder_is_a_platform(tmp_path: Path) -> None:
    desk(tmp_path)
    (tmp_path / "bureau.yaml").write_text(FILE)
    assert [platform.name for platform in shipped_platforms(tmp_path)] == ["bureau", "desk"]

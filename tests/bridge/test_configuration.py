"""What `singer` finds in dlt's configuration: secrets.toml, config.toml, variables."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from dlt.common.configuration.exceptions import ConfigValueCannotBeCoercedException
from staging import SCRIPTED_TAP, entry, record, schema

from dlt_bridge import BridgeError, singer

if TYPE_CHECKING:
    from staging import Project, Stage

#: The name of the source in the sections of the configuration.
NAME = "tap_x"
CATALOG = {"streams": [entry("a", "INCREMENTAL"), entry("b", "INCREMENTAL")]}
LINES = [
    schema(_sdc_deleted_at={"type": ["string", "null"]}, v={"type": "object"}),
    record(id=1, v={"x": 1}),
    record(id=2, _sdc_deleted_at="2026-01-01T00:00:00Z"),
    schema("b"),
    record("b", id=1),
]


@pytest.fixture
def tap(stage: Stage, project: Project) -> list[str]:
    """A tap to be run in the folder of a project."""
    script = stage.folder / "script.json"
    script.write_text(json.dumps({"catalog": CATALOG, "lines": LINES}))
    assert project.folder.is_dir()
    return [sys.executable, str(SCRIPTED_TAP), str(script)]


def config_of_run(stage: Stage, tap: list[str], **options: Any) -> Any:
    """Return the config that the tap is run with."""
    stage.pipeline.run(singer(tap, name=NAME, **options))
    return stage.given["config"]


def test_settings_are_found_in_files(stage: Stage, tap: list[str], project: Project) -> None:
    project.write(
        secrets=f'[sources.singer.{NAME}.config]\napi_key = "s3cret"\nchat = {{page_size = 5}}',
        config=f'[sources.singer.{NAME}]\nselect = ["a"]\nnested = "tables"\nhard_delete = true',
    )
    source = singer(tap, name=NAME)
    assert set(source.selected_resources) == {"a"}
    stage.pipeline.run(source)
    assert stage.given["config"] == {"api_key": "s3cret", "chat": {"page_size": 5}}
    # `hard_delete`: the second is gone; `tables`: rows have an id of dlt's.
    assert stage.rows("select id, _dlt_id is null from data.a") == [(1, False)]


def test_settings_are_found_in_variables(
    stage: Stage, tap: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__CONFIG", '{"api_key": "s3cret", "n": 5}')
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__SELECT", '["b*"]')
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__HARD_DELETE", "true")
    assert set(singer(tap, name=NAME).selected_resources) == {"b"}
    assert config_of_run(stage, tap) == {"api_key": "s3cret", "n": 5}


def test_variables_override_files(
    stage: Stage, tap: list[str], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(secrets=f'[sources.singer.{NAME}]\nconfig = {{api_key = "of the file"}}')
    assert config_of_run(stage, tap) == {"api_key": "of the file"}
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__CONFIG", '{"api_key": "of the variable"}')
    assert config_of_run(stage, tap) == {"api_key": "of the variable"}


@pytest.mark.parametrize("given", [{"api_key": "of the argument"}, {}])
def test_arguments_override_everything(
    stage: Stage, tap: list[str], monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__CONFIG", '{"api_key": "s3cret"}')
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__SELECT", '["a"]')
    assert set(singer(tap, name=NAME, select=["b"]).selected_resources) == {"b"}
    assert config_of_run(stage, tap, config=given) == given


def test_settings_of_one_source_are_not_those_of_another(
    stage: Stage, tap: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__SINGER__TAP_Y__CONFIG", '{"api_key": "s3cret"}')
    assert config_of_run(stage, tap) == {}


def test_settings_may_be_for_all_sources(
    stage: Stage, tap: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As dlt looks up all settings: from the innermost section outwards."""
    monkeypatch.setenv("SOURCES__SINGER__NESTED", "tables")
    stage.pipeline.run(singer(tap, name=NAME))
    assert stage.rows("select count(_dlt_id) from data.a") == [(2,)]


def test_without_settings_a_tap_has_an_empty_config(stage: Stage, tap: list[str]) -> None:
    assert config_of_run(stage, tap) == {}


@pytest.mark.parametrize(("setting", "value"), [("NESTED", "xml"), ("ABSENT", "soggy")])
def test_wrong_setting_is_named(
    tap: list[str], monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setenv(f"SOURCES__SINGER__TAP_X__{setting}", value)
    with pytest.raises(BridgeError, match=f"{setting.lower()} can only be one of"):
        singer(tap, name=NAME)


def test_setting_of_an_earlier_release_is_not_ignored(
    tap: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__DELETES", "hard")
    with pytest.raises(BridgeError, match="`deletes` is now `hard_delete`"):
        singer(tap, name=NAME)
    monkeypatch.delenv("SOURCES__SINGER__TAP_X__DELETES")
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__BATCH_PLACES", '["/data"]')
    with pytest.raises(BridgeError, match="`batch_places` is now `batch_folders`"):
        singer(tap, name=NAME)


def test_config_that_is_not_an_object_is_named(
    tap: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__CONFIG", "s3cret")
    with pytest.raises(ConfigValueCannotBeCoercedException, match="config"):
        singer(tap, name=NAME)


def test_selection_that_is_one_name_is_refused(
    tap: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__SINGER__TAP_X__SELECT", "ab")
    with pytest.raises((BridgeError, ConfigValueCannotBeCoercedException), match="select"):
        singer(tap, name=NAME)


def test_lines_are_not_given_the_config_of_taps(
    stage: Stage, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable CONFIG is of another program, most of the time."""
    assert project.folder.is_dir()
    monkeypatch.setenv("SOURCES__SINGER__CONFIG", '{"api_key": "s3cret"}')
    monkeypatch.setenv("CONFIG", "/etc/program.conf")
    stage.pipeline.extract(singer([json.dumps(line) for line in LINES]))
    assert stage.pipeline.has_pending_data

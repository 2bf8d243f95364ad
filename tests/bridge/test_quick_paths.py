"""The short ways of a command through dlt give what dlt's own ways give."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.environ import EnvironProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.normalizers.naming import direct, snake_case
from dlt.common.typing import TSecretStrValue
from staging import bookmark, record, schema

from dlt_bridge import load, singer
from dlt_bridge.destinations.clients import resolve_destination_config
from dlt_bridge.destinations.duckdb_file import duckdb as quick_duckdb
from dlt_bridge.run import environment
from dlt_bridge.run.environment import FixedEnvironment, fix_environment
from dlt_bridge.run.pipelines import PipelineSpec, make_pipeline

if TYPE_CHECKING:
    from pathlib import Path

CREDENTIALS: list[Any] = [
    "w.duckdb",
    "folder/with space/w.duckdb",
    "/absolute/w.db",
    ":pipeline:",
    "duckdb:///w.duckdb",
    {"database": "w.duckdb", "pragmas": ["enable_progress_bar"]},
]


def resolved(destination: Any, folder: Path) -> tuple[Any, ...]:
    pipeline = dlt.pipeline(
        "p", pipelines_dir=str(folder), destination=destination, dataset_name="data"
    )
    config = resolve_destination_config(pipeline)
    fields = ("database", "pragmas", "username", "password", "host", "query", "session_timezone")
    return (
        str(config),
        config.data_location(),
        config.fingerprint(),
        pipeline.destination.destination_type,
        pipeline.destination.destination_name,
        *(getattr(config.credentials, name) for name in fields),
    )


@pytest.mark.parametrize("credentials", CREDENTIALS, ids=str)
def test_destination_reads_credentials_as_dlt_does(tmp_path: Path, credentials: Any) -> None:
    ours = resolved(quick_duckdb(credentials), tmp_path)
    assert ours == resolved(dlt.destinations.duckdb(credentials), tmp_path)


def test_destination_has_the_capabilities_of_dlt_each_time(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {
        "credentials": str(tmp_path / "w.duckdb"),
        "max_identifier_length": 40,
    }
    ours, theirs = quick_duckdb(**arguments), dlt.destinations.duckdb(**arguments)
    for naming in (None, snake_case.NamingConvention(), direct.NamingConvention(), None):
        found, expected = ours.capabilities(naming=naming), theirs.capabilities(naming=naming)
        assert {**found, "type_mapper": None} == {**expected, "type_mapper": None}
        found.update({"max_identifier_length": 1})


@pytest.mark.parametrize(
    "name",
    ["DATASET_NAME", "P__DATASET_NAME", "DESTINATION__DUCKDB__DATASET_NAME", "OTHER", "a__b"],
)
@pytest.mark.parametrize("hint", [str, TSecretStrValue])
def test_environment_has_the_values_of_dlt(
    monkeypatch: pytest.MonkeyPatch, name: str, hint: Any
) -> None:
    monkeypatch.setenv(name, "value")
    ours, theirs = FixedEnvironment(os.environ), EnvironProvider()
    for key in ("dataset_name", "other", "b", "name", "a__b"):
        for sections in ((), ("destination",), ("destination", "duckdb")):
            for pipeline in (None, "p"):
                arguments = (key, hint, pipeline, *sections)
                assert ours.get_value(*arguments) == theirs.get_value(*arguments)


def test_environment_stays_that_of_dlt_where_secrets_are_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    providers = Container()[PluggableRunContext].providers
    before = providers["Environment Variables"]
    try:
        monkeypatch.setattr(environment, "SECRET_STORAGE_PATH", f"{tmp_path}/%s")
        fix_environment()
        assert providers["Environment Variables"] is before
        monkeypatch.setattr(environment, "SECRET_STORAGE_PATH", f"{tmp_path}/none/%s")
        fix_environment()
        assert isinstance(providers["Environment Variables"], FixedEnvironment)
    finally:
        providers["Environment Variables"] = before


def lines(first: int, last: int) -> list[str]:
    records = (record(id=number) for number in range(first, last))
    return [json.dumps(line) for line in (schema(), *records, bookmark(a={"x": last}))]


@pytest.mark.parametrize("layout", [None, "%s_staging"])
def test_own_staging_tables_are_empty_after_a_load(tmp_path: Path, layout: str | None) -> None:
    file = str(tmp_path / "w.duckdb")
    options = {"staging_dataset_name_layout": layout} if layout else {}
    spec = PipelineSpec(
        destination="duckdb",
        pipeline="p",
        dataset="data",
        credentials=file,
        options=options,
        folder=str(tmp_path / "pipelines"),
    )
    for first, last in ((0, 3), (2, 5)):
        load(make_pipeline(spec), singer(lines(first, last), name="tap"))
    with duckdb.connect(file, read_only=True) as database:
        staged = "data_staging" if layout else "data_staging_p"
        [(rows,)] = database.execute(f"select count(*) from {staged}.a").fetchall()
        assert rows == (3 if layout else 0)
        assert len(database.execute("select * from data.a").fetchall()) == 5

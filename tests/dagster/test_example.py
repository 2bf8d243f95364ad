"""The project in `examples/dagster` loads accounts of the sandbox into PostgreSQL."""

from __future__ import annotations

import shutil
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg2
import pytest

from tap_chat.sandbox import API_KEY

if TYPE_CHECKING:
    from postgres import PostgresServer

    from tap_chat.sandbox import Sandbox

EXAMPLE = Path(__file__).parents[2] / "examples" / "dagster"


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox) -> Path:
    """The example, with accounts of the sandbox."""
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLE, folder)
    file = folder / "accounts.toml"
    text = file.read_text()
    for host, account in (("acme", "acme"), ("umbrella", "Umbrella & Co")):
        url = f"{sandbox.url_of(account)}/v2"
        text = text.replace(f"https://{host}.freshchat.com/v2", url)
    file.write_text(text)
    return folder


def definitions(folder: Path) -> dg.Definitions:
    """Load the definitions of a project."""
    spec = spec_from_file_location("project_definitions", folder / "definitions.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded: dg.Definitions = module.defs
    return loaded


def test_the_project_loads_accounts_that_share_tables(
    project: Path, sandbox: Sandbox, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(project / "dlt"))
    # Dagster loads the definitions without any of the secrets.
    defs = definitions(project)
    with postgres.database() as storage, postgres.database() as warehouse:
        monkeypatch.setenv("DAGSTER_STORAGE", storage)
        monkeypatch.setenv("WAREHOUSE", warehouse)
        monkeypatch.setenv("DAGSTER_HOME", str(project))
        with dg.DagsterInstance.get() as instance:
            queue = instance.get_concurrency_config().run_queue_config
            assert queue
            assert [limit["key"] for limit in queue.tag_concurrency_limits] == [
                "dagster/partition",
                "dagster/partition/account",
            ]
            sensor = next(iter(defs.sensors or ()))
            context = dg.build_sensor_context(instance=instance, definitions=defs)
            result: Any = sensor(context)
            for added in result.dynamic_partitions_requests:
                instance.add_dynamic_partitions(
                    added.partitions_def_name, list(added.partition_keys)
                )
            requests = [
                request
                for request in result.run_requests
                if request.job_name == "load_freshchat_accounts"
            ]
            assert [request.partition_key for request in requests] == ["acme", "Umbrella & Co"]

            failed = run(defs, instance, requests[0])
            failure = failed.get_step_failure_events()[0].step_failure_data.user_failure_data
            assert failure
            assert "variable ACME_FRESHCHAT_KEY is not set" in str(failure.description)

            monkeypatch.setenv("ACME_FRESHCHAT_KEY", API_KEY)
            monkeypatch.setenv("UMBRELLA_FRESHCHAT_KEY", API_KEY)
            for request in requests:
                done = run(defs, instance, request)
                assert done.success
                assert not any(API_KEY in str(event) for event in instance.all_logs(done.run_id))
        query = "select _account, count(*) from chats.freshchat_users group by 1"
        with closing(psycopg2.connect(warehouse)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            found = dict(cursor.fetchall())
    assert found == {
        name: len(sandbox.world_of(name).truth["freshchat_users"])
        for name in ("acme", "Umbrella & Co")
    }


def run(
    defs: dg.Definitions, instance: dg.DagsterInstance, request: dg.RunRequest
) -> dg.ExecuteInProcessResult:
    """Run what a sensor asks for, of two streams."""
    job = defs.resolve_job_def(request.job_name or "")
    return job.execute_in_process(
        instance=instance,
        partition_key=request.partition_key,
        asset_selection=[dg.AssetKey("freshchat_users"), dg.AssetKey("freshchat_groups")],
        raise_on_error=False,
    )

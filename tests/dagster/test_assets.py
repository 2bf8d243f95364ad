"""`chat_assets`: the streams of accounts as partitioned assets, materialized in this process."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from orchestration.in_process import DuckDBFile
from running import config_of

from dlt_bridge.accounts.ledger import Ledger
from dlt_bridge.accounts.runner import Warehouse
from dlt_bridge.dagster import account_schedules, account_sensor, chat_assets
from dlt_bridge.dagster.partitions import account_of, partition_key
from dlt_bridge.tap.process import Tap
from tap_chat.sandbox import DIALECTS, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

LATE = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
ODD = "Ümlaut & Co, 50% | [x]... 🙂"


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """Return the metadata of the assets that a run has materialized, by stream."""
    return {
        event.asset_key.path[-1]: {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def failure(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """Return the sentence of the step that failed, and its error as Dagster shows it."""
    assert not result.success
    [failed] = [event for event in result.all_events if event.is_step_failure]
    data = failed.step_failure_data
    assert data.user_failure_data
    assert data.error
    return data.user_failure_data.description or "", data.error.to_string()


def test_each_account_is_loaded_by_a_run_of_its_partition(
    tmp_path: Path, sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    accounts = {name: config_of(sandbox, name, "dixa") for name in ("acme", ODD)}
    catalog = Tap([sys.executable, "-m", "tap_chat"], accounts["acme"]).discover()
    warehouse = DuckDBFile(tmp_path, instance, accounts, catalog=catalog)
    for account in accounts:
        result = warehouse.materialize(account, "dixa")
        assert result.success
        truth = sandbox.world_of(account).truth["dixa_conversation_export"]
        assert metadata(result)["dixa_conversation_export"]["rows"] == len(truth)
        # Nothing has changed since.
        again = metadata(warehouse.materialize(account, "dixa"))
        assert again["dixa_conversation_export"]["rows"] < len(truth)
        assert again["dixa_conversation_export"]["read until"] > LATE
    count = "select count(*), count(distinct (_account, id)) from data.dixa_conversation_export"
    assert warehouse.rows(count) == [(2 * len(truth), 2 * len(truth))]


def test_windows_are_loaded_in_any_order_and_again(
    tmp_path: Path, sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    """The windows have all rows of the account, and one of them can be loaded again."""
    windows = dg.TimeWindowPartitionsDefinition(
        start=datetime(2025, 9, 1, tzinfo=UTC), cron_schedule="0 0 1 */2 *", fmt="%Y-%m-%d"
    )
    config = config_of(sandbox, "acme", "dixa")
    del config["start_date"], config["end_date"]
    warehouse = DuckDBFile(tmp_path, instance, {"acme": config}, windows=windows)
    truth = sandbox.world_of("acme").truth["dixa_conversation_export"]
    times = sorted({datetime.fromtimestamp(row["updated_at"] / 1000, UTC) for row in truth})
    keys = [
        key
        for key in windows.get_partition_keys()
        if (window := windows.time_window_for_partition_key(key)).end > times[0]
        and window.start <= times[-1]
    ]
    assert len(keys) > 1
    rows = [
        metadata(warehouse.materialize(f"acme|{key}", "dixa"))["dixa_conversation_export"]["rows"]
        for key in [*reversed(keys), keys[0]]
    ]
    assert rows[0] < len(truth)
    assert rows[-1] == rows[-2]
    count = "select count(*), count(distinct id) from data.dixa_conversation_export"
    assert warehouse.rows(count) == [(len(truth), len(truth))]


def test_assets_have_the_streams_keys_and_dependencies(sandbox: Sandbox) -> None:
    config = config_of(sandbox, "acme", "livechat", "chatwoot")
    config["livechat"] |= {"api_version": "2", "extra_streams": []}
    assets = {
        definition.op.name: definition
        for definition in chat_assets(
            accounts={"acme": config}, destination="duckdb", dataset_name="data", key_prefix="raw"
        )
    }
    assert list(assets) == ["livechat_streams", "chatwoot_streams"]
    specs = assets["livechat_streams"].specs_by_key
    messages = specs[dg.AssetKey(["raw", "livechat_messages"])]
    assert [dep.asset_key for dep in messages.deps] == [dg.AssetKey(["raw", "livechat_chats"])]
    assert messages.metadata["keys"] == ["_account", "chat_id", "event_id"]
    assert messages.description == "LiveChat: the messages of the chats."
    assert messages.group_name == "livechat"


def test_streams_without_windows_are_loaded_by_account(sandbox: Sandbox) -> None:
    config = config_of(sandbox, "acme", "livechat")
    config["livechat"] |= {"extra_streams": ["livechat_report_ratings"]}
    windows = dg.MonthlyPartitionsDefinition(start_date="2024-01-01")
    assets = chat_assets(
        accounts={"acme": config}, destination="duckdb", dataset_name="data", windows=windows
    )
    streams, lists = assets
    assert isinstance(streams.partitions_def, dg.MultiPartitionsDefinition)
    assert isinstance(lists.partitions_def, dg.DynamicPartitionsDefinition)
    assert {key.to_user_string() for key in streams.keys} >= {
        "livechat_threads",
        "livechat_thread_events",
    }
    assert {key.to_user_string() for key in lists.keys} >= {"livechat_agents", "livechat_tags"}
    assert "livechat_report_ratings" in {key.to_user_string() for key in streams.keys}
    jobs = [platform.job.name for platform in assets.platforms]
    assert jobs == ["load_livechat_accounts", "load_livechat_lists"]
    names = [schedule.name for schedule in account_schedules(assets, "0 3 * * *")]
    assert names == ["all_livechat_accounts", "all_livechat_lists"]
    dg.Definitions.validate_loadable(
        dg.Definitions(assets=assets, sensors=[account_sensor(assets)])
    )


def test_account_is_loaded_without_streams_that_only_others_have(
    tmp_path: Path, sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    """Another account may have further streams, or wrong settings of them."""
    more = config_of(sandbox, "acme", "dixa")
    accounts = {
        "acme": more,
        "other": more | {"dixa": more["dixa"] | {"extra_streams": ["no_such_stream"]}},
        "third": more | {"livechat": {"api_version": "2"}},
    }
    warehouse = DuckDBFile(tmp_path, instance, accounts)
    found = {key.to_user_string() for part in warehouse.assets for key in part.keys}
    assert found >= {"livechat_chats", "dixa_conversation_export"}
    result = warehouse.assets.loading.load("third", "livechat", ["livechat_threads"], None)
    assert (result.failure, result.rows) == (None, {})


def test_definitions_load_without_a_process_or_a_request(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    config = config_of(sandbox, "acme", *(dialect.name for dialect in DIALECTS))
    assert len(chat_assets(accounts={"acme": config}, dataset_name="data")) == len(DIALECTS)
    assert sandbox.requests == 0


def test_only_the_selected_streams_are_read(
    tmp_path: Path, sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    config = config_of(sandbox, "acme", "freshchat")
    warehouse = DuckDBFile(tmp_path, instance, {"acme": config})
    result = warehouse.materialize(
        "acme", "freshchat", selection=["freshchat_groups", "freshchat_roles"]
    )
    assert metadata(result).keys() == {"freshchat_groups", "freshchat_roles"}
    tables = warehouse.rows("select table_name from duckdb_tables where table_name like 'fresh%'")
    assert {name for (name,) in tables} == {"freshchat_groups", "freshchat_roles"}


def test_a_failure_is_a_sentence(
    tmp_path: Path, sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    config = config_of(sandbox, "acme", "dixa")
    config["dixa"]["api_token"] = "wr0ng-t0ken"
    warehouse = DuckDBFile(tmp_path, instance, {"acme": config})
    result = warehouse.materialize("acme", "dixa", raise_on_error=False)
    sentence, shown = failure(result)
    assert "dixa.api_token" in sentence
    # Python 3.13 shows two lines more of some places.
    assert shown.count("\n  File ") < 15
    events = instance.all_logs(result.run_id)
    assert not any("wr0ng-t0ken" in str(event) for event in events)


def test_a_partition_without_an_account_fails(
    tmp_path: Path, sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    accounts = {"acme": config_of(sandbox, "acme", "dixa", "freshchat")}
    warehouse = DuckDBFile(tmp_path, instance, accounts)
    result = warehouse.materialize("gone", "dixa", raise_on_error=False)
    assert "is of no account" in failure(result)[0]


@pytest.mark.parametrize("account", ["acme", ODD, "a%20b", "a b", '"\\"', "tab\there", "x" * 500])
def test_every_account_has_a_partition_key_of_its_own(
    account: str, instance: dg.DagsterInstance
) -> None:
    key = partition_key(account)
    instance.add_dynamic_partitions("accounts", [key])
    assert account_of(key) == account
    assert key == account or account not in {"acme", "a b", "x" * 500}


def test_a_window_waits_while_another_run_holds_the_account(
    tmp_path: Path,
    sandbox: Sandbox,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dlt_bridge.dagster.loading.BUSY_SECONDS", 0)
    monkeypatch.setattr("dlt_bridge.dagster.loading.BUSY_RETRIES", 1)
    windows = dg.MonthlyPartitionsDefinition(start_date="2025-09-01")
    accounts = {"acme": config_of(sandbox, "acme", "dixa")}
    warehouse = DuckDBFile(tmp_path, instance, accounts, windows=windows)
    pipeline = Warehouse(
        destination="duckdb", dataset_name="data", credentials=warehouse.file
    ).pipeline("tap_chat_acme")
    with Ledger(pipeline).hold("acme"):
        result = warehouse.materialize("acme|2025-10-01", "dixa", raise_on_error=False)
    assert sandbox.requests_of("acme") == 0
    assert any(event.is_step_up_for_retry for event in result.all_events)

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
from dlt_bridge.dagster import chat_assets
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
    catalog = Tap([sys.executable, "-m", "tap_chat"], {}).discover()
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
    assert len(shown.splitlines()) < 30
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

"""The sensor of new accounts, and the schedules of all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import dagster as dg

from dlt_bridge.dagster import account_schedules, account_sensor, chat_assets

DIXA = {"dixa": {"api_token": "a-token"}}
FRESHCHAT = {"freshchat": {"api_url": "https://x.freshchat.com/v2", "api_key": "a-key"}}


class Project:
    """Accounts that change, with their assets, sensor and schedules."""

    def __init__(self, instance: dg.DagsterInstance, **options: Any) -> None:
        self.accounts: dict[str, Any] = {"acme": DIXA | FRESHCHAT, "a|b": DIXA}
        self.instance = instance
        accounts = self.accounts.copy
        assets = chat_assets(
            accounts=accounts, platforms=["dixa", "freshchat"], dataset_name="data", **options
        )
        self.sensor = account_sensor(assets)
        self.schedules = account_schedules(assets, "0 3 * * *")
        self.definitions = dg.Definitions(
            assets=assets, sensors=[self.sensor], schedules=self.schedules
        )
        dg.Definitions.validate_loadable(self.definitions)

    def look(self) -> dg.SensorResult:
        """Evaluate the sensor, and do what Dagster's daemon does with its result."""
        context = dg.build_sensor_context(instance=self.instance, definitions=self.definitions)
        result = self.sensor(context)
        if isinstance(result, dg.SkipReason):
            return dg.SensorResult(skip_reason=result)
        assert isinstance(result, dg.SensorResult)
        for added in result.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(
                added.partitions_def_name, list(added.partition_keys)
            )
        return result

    def scheduled(self) -> list[dg.RunRequest]:
        """Return the runs that the schedules ask for."""
        context = dg.build_schedule_context(instance=self.instance)
        return [
            request
            for schedule in self.schedules
            for request in cast("list[dg.RunRequest]", schedule(context))
        ]

    def run(self, partition: str, status: dg.DagsterRunStatus) -> None:
        """Add a run of a partition of Dixa with a status."""
        self.instance.create_run_for_job(
            self.definitions.resolve_implicit_global_asset_job_def(),
            status=status,
            tags={"dagster/partition": partition},
            asset_selection=frozenset({dg.AssetKey("dixa_conversation_export")}),
        )


def runs(requests: Any) -> list[tuple[str, str]]:
    """Return the platform and the partition of each requested run."""
    return [
        (request.asset_selection[0].path[-1].partition("_")[0], request.partition_key)
        for request in requests
    ]


def test_a_new_account_gets_a_partition_and_a_run(stored: dg.DagsterInstance) -> None:
    project = Project(stored)
    first = project.look()
    assert runs(first.run_requests) == [
        ("freshchat", "acme"),
        ("dixa", "acme"),
        ("dixa", "a%7Cb"),
    ]
    assert stored.get_dynamic_partitions("dixa_accounts") == ["acme", "a%7Cb"]
    assert stored.get_dynamic_partitions("freshchat_accounts") == ["acme"]
    assert not project.look().run_requests
    project.accounts["other"] = {"livechat": {}, "rest": {"matrix": "matrix.yaml"}}
    skipped = project.look().skip_reason
    assert skipped
    assert "have livechat, rest.matrix, of which there are no assets" in str(skipped)
    project.accounts["new"] = FRESHCHAT
    del project.accounts["acme"]
    assert runs(project.look().run_requests) == [("freshchat", "new")]
    # What was loaded for the account stays known.
    assert stored.get_dynamic_partitions("freshchat_accounts") == ["acme", "new"]


def test_the_schedules_load_every_account_and_failed_ones_first(
    stored: dg.DagsterInstance,
) -> None:
    project = Project(stored)
    assert project.scheduled() == []
    project.look()
    assert len(runs(project.scheduled())) == 3
    project.run("a%7Cb", dg.DagsterRunStatus.FAILURE)
    found = {
        key: request.tags.get("dagster/priority")
        for key, request in zip(runs(project.scheduled()), project.scheduled(), strict=True)
    }
    assert found == {("freshchat", "acme"): None, ("dixa", "acme"): None, ("dixa", "a%7Cb"): "1"}
    project.run("a%7Cb", dg.DagsterRunStatus.SUCCESS)
    assert not any("dagster/priority" in request.tags for request in project.scheduled())
    project.run("acme", dg.DagsterRunStatus.STARTED)
    assert runs(project.scheduled()) == [("freshchat", "acme"), ("dixa", "a%7Cb")]
    del project.accounts["acme"]
    assert runs(project.scheduled()) == [("dixa", "a%7Cb")]


def test_windows_that_are_complete_and_not_loaded_are_loaded(stored: dg.DagsterInstance) -> None:
    last_month = datetime.now(UTC) - timedelta(days=40)
    windows = dg.DailyPartitionsDefinition(start_date=last_month.strftime("%Y-%m-%d"))
    project = Project(stored, windows=windows)
    first = runs(project.look().run_requests)
    assert first[0] == ("freshchat", "acme")
    # A day is not complete until minutes after it. The lists of Dixa have no windows.
    assert len(first) in {3 + 2 * 40, 3 + 2 * 39}
    latest, *_, oldest = [key for platform, key in first if platform == "dixa" and "|" in key]
    assert latest > oldest
    assert runs(project.scheduled()) == first
    for stream in ("dixa_conversation_export", "dixa_messages", "dixa_activity_log"):
        stored.report_runless_asset_event(dg.AssetMaterialization(stream, partition=latest))
    assert runs(project.scheduled()) == [run for run in first if run[1] != latest]

"""A sensor that adds a partition for each new account, and schedules that load all accounts."""

# Annotations are read when the definitions are made: no `from __future__ import annotations`.
from collections.abc import Iterator
from typing import Any

from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    schedule,
    sensor,
)

from dlt_bridge.dagster.accounts import AccountConfigs
from dlt_bridge.dagster.assets import ChatAssets
from dlt_bridge.dagster.partitions import PlatformAssets, account_key, platforms_without_assets

#: The tag by which Dagster orders waiting runs.
PRIORITY = "dagster/priority"
#: Runs that have not ended, and those that did not load all.
UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
FAILED = [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
#: Among how many of the newest runs, for each account, its last run is looked for.
RUNS_BACK = 5


def account_sensor(
    assets: ChatAssets,
    *,
    name: str = "new_accounts",
    seconds: int = 60,
    is_running: bool = False,
) -> SensorDefinition:
    """Return a sensor that adds a partition for each new account, and loads it.

    It deletes no partition, because Dagster would forget what was loaded for the account. If an
    account has a platform that has no assets, the sensor says so.

    Args:
        assets: The assets, as `chat_assets` returned them.
        name: The name of the sensor.
        seconds: Seconds between two looks at the accounts.
        is_running: Whether it runs without being started on Dagster's pages.
    """
    platforms = assets.platforms

    @sensor(
        name=name,
        # The partitions of platforms differ, and those of a job must not.
        jobs=[platform.job for platform in platforms],
        minimum_interval_seconds=seconds,
        default_status=DefaultSensorStatus.RUNNING if is_running else DefaultSensorStatus.STOPPED,
    )
    def new_accounts(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        now = assets.loading.read_accounts()
        partitions, runs = [], []
        for platform in platforms:
            known = platform.known_accounts(context.instance)
            new = [key for key in platform.account_keys(now) if key not in known]
            if new:
                partitions.append(platform.accounts.build_add_request(new))
                due = platform.due(now, context.instance)
                runs += [
                    platform.run_request(key, {}) for key in due if account_key(key) not in known
                ]
        if not partitions and (others := platforms_without_assets(platforms, now)):
            return SkipReason(
                f"Some accounts have {', '.join(others)}, of which there are no assets. Reload the"
                " definitions, or add it to the platforms of chat_assets()."
            )
        return SensorResult(dynamic_partitions_requests=partitions, run_requests=runs)

    return new_accounts


def account_schedules(
    assets: ChatAssets,
    cron_schedule: str,
    *,
    execution_timezone: str | None = None,
    is_running: bool = False,
) -> list[ScheduleDefinition]:
    """Return a schedule for each platform, that loads every account.

    Accounts whose last run failed come first. An account whose last run waits or still runs is left
    to it.

    Args:
        assets: The assets, as `chat_assets` returned them.
        cron_schedule: When they run, such as `0 3 * * *`.
        execution_timezone: The time zone of `cron_schedule`; by default UTC.
        is_running: Whether they run without being started on Dagster's pages.
    """
    return [
        _platform_schedule(
            platform,
            assets,
            cron_schedule=cron_schedule,
            execution_timezone=execution_timezone,
            default_status=(
                DefaultScheduleStatus.RUNNING if is_running else DefaultScheduleStatus.STOPPED
            ),
        )
        for platform in assets.platforms
    ]


def _platform_schedule(
    platform: PlatformAssets,
    assets: ChatAssets,
    **options: Any,  # noqa: ANN401
) -> ScheduleDefinition:
    @schedule(name=f"all_{platform.name}", job=platform.job, **options)
    def all_accounts(context: ScheduleEvaluationContext) -> list[RunRequest]:
        return list(_requests(platform, assets.loading.read_accounts(), context.instance))

    return all_accounts


def _requests(
    platform: PlatformAssets, accounts: AccountConfigs, instance: DagsterInstance
) -> Iterator[RunRequest]:
    """Yield a request for each partition of a platform that is due, and is not being loaded."""
    # The sensor adds the partition of a new account, and loads it.
    known = platform.known_accounts(instance)
    due = [key for key in platform.due(accounts, instance) if account_key(key) in known]
    unfinished = platform.runs_of(instance.get_runs(RunsFilter(statuses=UNFINISHED)))
    newest = platform.runs_of(instance.get_runs(limit=RUNS_BACK * len(accounts)))
    for key in due:
        if key not in unfinished:
            has_failed = key in newest and newest[key].status in FAILED
            yield platform.run_request(key, {PRIORITY: "1"} if has_failed else {})

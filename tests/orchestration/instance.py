"""A Dagster instance with its storage, code server, daemon and webserver."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests
import yaml
from dagster import DagsterInstance
from killing.processes import MARK, kill
from orchestration.programs import Program, free_port
from running import BIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: How long anything may take, in seconds, on a busy machine, and the time between two looks.
PATIENCE, POLL = 1200.0, 0.5
LOCATION = "chats"
EXAMPLE = Path(__file__).parents[2] / "examples" / "dagster" / "dagster.yaml"
#: Seconds after which a run counts as lost.
MAX_RUNTIME = 120


def settings(storage: str, slots: int) -> dict[str, Any]:
    """Return the content of `dagster.yaml`: that of the example, with less time to wait.

    Args:
        storage: The URL of a PostgreSQL database.
        slots: The number of runs at the same time.
    """
    found: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    found["storage"]["postgres"]["postgres_url"] = storage
    found["concurrency"]["runs"]["max_concurrent_runs"] = slots
    found["run_coordinator"]["config"] |= {
        "dequeue_interval_seconds": 1,
        "user_code_failure_retry_delay": 5,
    }
    found["run_monitoring"] |= {"poll_interval_seconds": 2, "max_runtime_seconds": MAX_RUNTIME}
    # Not the introduction for new users.
    return found | {"nux": {"enabled": False}}


@dataclass
class Home:
    """An instance in a folder of its own.

    Attributes:
        folder: `DAGSTER_HOME`, with the logs of all programs.
        definitions: The file with the definitions.
        env: Additional variables of the environment of all programs.
        settings: The content of `dagster.yaml`.
    """

    folder: Path
    definitions: Path
    settings: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "dagster.yaml").write_text(yaml.safe_dump(dict(self.settings)))
        code_port, web_port = free_port(), free_port()
        server = {"host": "127.0.0.1", "port": code_port, "location_name": LOCATION}
        workspace = self.folder / "workspace.yaml"
        workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        self.url = f"http://127.0.0.1:{web_port}"
        code = ["dagster", "api", "grpc", "--port", str(code_port), "--host", "127.0.0.1"]
        code += ["--location-name", LOCATION, "--inject-env-vars-from-instance"]
        code += ["--python-file", str(self.definitions)]
        at = ["--workspace", str(workspace)]
        web = ["dagster-webserver", "--port", str(web_port), "--host", "127.0.0.1", *at]
        self.code_server = self._program("code", *code)
        self.daemon = self._program("daemon", "dagster-daemon", "run", *at)
        self.webserver = self._program("webserver", *web)

    def _program(self, name: str, program: str, *arguments: str) -> Program:
        env = {**os.environ, **self.env, MARK: str(self.folder), "DAGSTER_HOME": str(self.folder)}
        # Nothing may leave this machine.
        env["DAGSTER_DISABLE_TELEMETRY"] = "1"
        # A busy machine takes more than a minute to start the process of a run.
        env["DAGSTER_GRPC_TIMEOUT_SECONDS"] = f"{PATIENCE:.0f}"
        return Program([str(BIN / program), *arguments], self.folder / f"{name}.log", env)

    @contextmanager
    def running(self, *, webserver: bool = False) -> Iterator[Self]:
        """Run the programs; afterwards no process is left.

        Args:
            webserver: Whether to run the webserver, too.
        """
        programs = [self.code_server, self.daemon, *([self.webserver] if webserver else [])]
        with ExitStack() as stack:
            stack.callback(kill, str(self.folder))
            for program in programs:
                program.start()
                stack.callback(program.stop)
            self.instance = stack.enter_context(DagsterInstance.from_config(str(self.folder)))
            yield self

    def wait(self, is_true: Callable[[], object], what: str) -> None:
        """Wait until a condition holds, while the programs run.

        Raises:
            TimeoutError: It took too long.
        """
        end = time.monotonic() + PATIENCE
        while not is_true():
            for program in (self.code_server, self.daemon, self.webserver):
                program.check()
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not after {PATIENCE:.0f} s.")
            time.sleep(POLL)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of a query of the webserver's GraphQL."""
        body = {"query": query, "variables": variables}
        response = requests.post(f"{self.url}/graphql", json=body, timeout=60)
        response.raise_for_status()
        answer = response.json()
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def backfill(self, assets: Sequence[str], partitions: Sequence[str]) -> None:
        """Start a backfill of partitions of assets."""
        wanted = {
            "assetSelection": [{"path": [asset]} for asset in assets],
            "partitionNames": list(partitions),
        }
        answer = self.ask(BACKFILL, wanted=wanted)["launchPartitionBackfill"]
        assert "backfillId" in answer, answer


BACKFILL = """
mutation Backfill($wanted: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $wanted) {
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionKeysNotFoundError { message }
  }
}
"""

"""A run of one account in a program that a signal stops."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from dlt_bridge.accounts import Account, run
from dlt_bridge.run import signals

if TYPE_CHECKING:
    from pathlib import Path


def test_a_signal_that_a_library_replaces_by_an_error_ends_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        # As DuckDB does within a query.
        with suppress(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        raise ValueError

    monkeypatch.setattr(signals, "_received", [])
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr("dlt_bridge.accounts.runner.load_leftovers", interrupted)
    with pytest.raises(SystemExit) as stopped:
        run(
            Account(name="acme", config={}),
            dataset_name="raw",
            credentials=str(tmp_path / "chats.duckdb"),
            pipelines_dir=str(tmp_path),
        )
    assert stopped.value.code == 128 + signal.SIGTERM

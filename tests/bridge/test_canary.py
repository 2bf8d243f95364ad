"""No error of the bridge or of target-dlt shows the value of a setting."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from dlt_bridge import BridgeError, chat, singer
from dlt_bridge.target.settings import SETTINGS
from dlt_bridge.target.target import TargetDlt

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "MY-REAL-SECRET"
VALUES: list[Any] = [CANARY, [CANARY], {"inner": CANARY}, CANARY * 5000, f"\x1b[1m{CANARY}\n"]
#: The arguments of `singer` that take some texts only, or none.
ARGUMENTS = ("nested", "absent", "on_name_collision", "on_bad_stream", "batch_folders", "select")


@pytest.fixture
def handlers() -> Iterator[None]:
    """Keep the handlers of signals, which the target sets."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def refusal(setting: str, value: object) -> str:
    """Return the error of target-dlt for a setting; an empty text if it takes the value."""
    try:
        # Some settings are checked when they are used.
        TargetDlt(config={"destination": "duckdb", setting: value})._value(setting)
    except (ConfigValidationError, BridgeError) as error:
        return str(error)
    return ""


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("name", SETTINGS["properties"])
def test_no_value_is_in_an_error_of_the_target(name: str) -> None:
    refused = [
        text
        for setting in (name, f"{name}x")
        for value in VALUES
        if (text := refusal(setting, value))
    ]
    # Every misspelled name, and what is not a text.
    assert len(refused) > len(VALUES)
    assert CANARY not in "".join(refused)
    assert all(name in text for text in refused)


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_no_value_is_in_an_error_of_the_bridge(argument: str) -> None:
    wrong: dict[str, Any] = {argument: CANARY}
    with pytest.raises(BridgeError) as refused:
        singer(iter(()), **wrong)
    assert CANARY not in str(refused.value)
    assert argument in str(refused.value)


@pytest.mark.parametrize("setting", ["api_url", "api_urlx", "mode", "max_retries", "max_workers"])
def test_no_value_is_in_an_error_of_chat(setting: str) -> None:
    for value in VALUES[1:]:
        given = {"api_url": "https://acme.example.com/v2", "api_key": CANARY, setting: value}
        with pytest.raises(BridgeError) as refused:
            chat("freshchat", **given)
        assert CANARY not in str(refused.value)
        assert setting in str(refused.value)

"""The values of arguments: each function reads one from its text, or says what it must be."""

from __future__ import annotations

from argparse import ArgumentTypeError

from dlt_bridge.tap.inputs import is_account

#: Kinds of progress. The first is shown on a terminal only; the second hides it.
STREAMS, NONE = "streams", "none"
#: Those of dlt.
OF_DLT = ("log", "tqdm", "enlighten", "alive_progress")
PROGRESS = (STREAMS, NONE, *OF_DLT)


def progress(text: str) -> str:
    """Return a kind of progress."""
    if text not in PROGRESS:
        raise ArgumentTypeError(f"it is one of {', '.join(PROGRESS)}. Put TAP before it")
    return text


def account(text: str) -> str:
    """Return an account."""
    if not is_account(text):
        raise ArgumentTypeError("it must not be empty or have invalid characters")
    return text


def seconds(text: str) -> float:
    """Return a number of seconds."""
    seconds = float(text)
    if not seconds >= 0:
        raise ArgumentTypeError("it must be 0 or more")
    return seconds


def number(text: str) -> int:
    """Return a number of things."""
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("it must be 1 or more")
    return number


#: The write dispositions of dlt, by the names that targets of the Meltano SDK have for them.
LOAD_METHODS = {"append-only": "append", "upsert": "merge", "overwrite": "replace"}


def load_method(text: str) -> str:
    """Return the write disposition of a load method."""
    if text not in LOAD_METHODS:
        raise ArgumentTypeError(f"it is one of {', '.join(LOAD_METHODS)}")
    return LOAD_METHODS[text]

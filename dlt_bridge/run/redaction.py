"""Keeps values of rows, which a database may quote, out of dlt's errors, trace and log."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dlt.pipeline.exceptions import PipelineStepFailed
from typing_extensions import override

from dlt_bridge.destinations.dlt_private import hide_failures
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.failures import causes_of, frames, sentence
from dlt_bridge.tables.dlt_warnings import expected_warnings
from tap_chat.docs import link_of
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt import Pipeline

# What dlt logs of a load that fails. The run ends with an error that says what went wrong.
_FAILURE = re.compile(
    r"(Terminal|Transient) exception in job |Job for .* failed terminally"
    r"|Package .* was not fully loaded"
)


class LoadError(BridgeError, PipelineStepFailed):
    """The tap or the load failed: the error of `load`, also for who catches that of dlt.

    Args:
        failed: The error that dlt raised.
        text: The text of this one.
    """

    def __init__(self, failed: PipelineStepFailed, text: str) -> None:
        Exception.__init__(self, text)
        # The original may quote rows.
        vars(self).update(vars(failed), exception=BridgeError(text))


@contextmanager
def redact_trace(pipeline: Pipeline) -> Iterator[None]:
    """Remove the texts of errors that are not the bridge's own from the pipeline's trace, a file.

    Args:
        pipeline: The pipeline that runs in the body.
    """
    try:
        yield
    except PipelineStepFailed as failed:
        if not _is_ours(failed):
            hide_failures(pipeline)
        raise


def redacted(failed: PipelineStepFailed) -> LoadError:
    """Return an error of dlt as one whose text is a sentence, without values of rows.

    Args:
        failed: The error that dlt raised.
    """
    error = LoadError(failed, sentence(failed))
    error.add_note(f"Docs: {link_of(str(error))}")
    if not _is_ours(failed):
        error.add_note(f"It happened here:\n{frames(failed)}")
    return error


def _is_ours(error: BaseException) -> bool:
    return any(isinstance(cause, BridgeError) for cause in causes_of(error))


class _OneLine(logging.Filter):
    """Removes tracebacks, and what a database says of rows, from dlt's log."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage().partition("Traceback (most recent call last)")[0]
        record.msg = printable(text.partition(" with message ")[0].partition("\n")[0].rstrip())
        record.args = ()
        record.exc_info = record.exc_text = None
        return not _FAILURE.match(str(record.msg))


@contextmanager
def one_line_logs() -> Iterator[None]:
    """Make dlt log each event in one line, and leave failures to the error that ends the run."""
    dlt_logger, one_line = logging.getLogger("dlt"), _OneLine()
    dlt_logger.addFilter(expected_warnings)
    dlt_logger.addFilter(one_line)
    try:
        yield
    finally:
        dlt_logger.removeFilter(one_line)

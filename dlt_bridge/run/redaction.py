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
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt import Pipeline

# What dlt logs of a load that fails. The run ends with an error that says what went wrong.
_FAILURE = re.compile(
    r"(Terminal|Transient) exception in job |Job for .* failed terminally"
    r"|Package .* was not fully loaded"
)


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


def redacted(failed: PipelineStepFailed) -> PipelineStepFailed:
    """Return an error that shows no values of rows.

    Args:
        failed: The error that dlt raised.

    Returns:
        The error itself, if one of the bridge's errors caused it. Otherwise a copy whose text is a
        sentence. Its notes hold the traceback, without texts of errors.
    """
    if _is_ours(failed):
        return failed
    copy = PipelineStepFailed(
        failed.pipeline, failed.step, failed.load_id, BridgeError(sentence(failed))
    )
    copy.has_pending_data = failed.has_pending_data
    copy.is_package_partially_loaded = failed.is_package_partially_loaded
    copy.add_note(f"It happened here:\n{frames(failed)}")
    return copy


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

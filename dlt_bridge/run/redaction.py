"""Keeps values of rows, which a database may quote, out of what dlt says and keeps of a failure."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dlt.pipeline.exceptions import PipelineStepFailed

from dlt_bridge.destinations.dlt_private import hide_failures
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.failures import causes_of, frames, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt import Pipeline


@contextmanager
def redact_trace(pipeline: Pipeline) -> Iterator[None]:
    """Let the pipeline's trace, a file, keep no text of an error that is not the bridge's own.

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
        failed: What dlt raised.

    Returns:
        The error itself, if it is one of the bridge's; otherwise one like it, with a sentence for
        its text. Its notes say where it happened.
    """
    if _is_ours(failed):
        return failed
    said = PipelineStepFailed(
        failed.pipeline, failed.step, failed.load_id, BridgeError(sentence(failed))
    )
    said.has_pending_data = failed.has_pending_data
    said.is_package_partially_loaded = failed.is_package_partially_loaded
    said.add_note(f"It happened here:\n{frames(failed)}")
    return said


def _is_ours(error: BaseException) -> bool:
    return any(isinstance(cause, BridgeError) for cause in causes_of(error))

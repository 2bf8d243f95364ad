"""What went wrong in a run of a pipeline, as one sentence for who must act.

dlt's errors name steps, files and classes, and may show values of rows; what a user can do about it
is at the end of a chain of causes. Nothing here shows what came from a tap or from rows.
"""

from __future__ import annotations

import errno
import re
import traceback
from functools import singledispatch
from typing import TYPE_CHECKING

from dlt.common.configuration.exceptions import (
    ConfigFieldMissingException,
    ConfigValueCannotBeCoercedException,
    InvalidNativeValue,
    ValueNotSecretException,
)
from dlt.common.destination.exceptions import (
    DestinationCapabilitiesException,
    DestinationIncompatibleLoaderFileFormatException,
    DestinationTerminalException,
    IdentifierTooLongException,
    UnsupportedDataType,
)
from dlt.common.schema.exceptions import DataValidationError
from dlt.destinations.exceptions import DestinationConnectionError, MergeDispositionException
from dlt.pipeline.exceptions import PipelineHasPendingDataException, PipelineStepFailed

from dlt_bridge.errors import BridgeError
from dlt_bridge.run.database_errors import is_permanent, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_SPACE = (
    "No space is left on the disk. What was committed before stays; free some space, and run it"
    " again. The working files are where TMPDIR, or the pipelines' folder, says."
)
#: What to say of errors that are known by their texts.
_SENTENCES = (
    (
        re.compile(
            r'Could not set lock on file "(?P<file>[^"]+)".*?PID (?P<process>\d+)', re.DOTALL
        ),
        (
            "The DuckDB file {file} is open in another program (process {process}). Close it"
            " there, and run it again."
        ),
    ),
    (
        re.compile(r'Ambiguous reference to catalog or schema "(?P<name>[^"]+)"'),
        (
            "The DuckDB file and the dataset have the same name, {name}, which DuckDB can't tell"
            " apart. Choose another dataset, or another file."
        ),
    ),
    (re.compile("No space left on device"), _NO_SPACE),
)
#: What a database is asked before any row is sent: its errors are about the way there.
_STEPS_WITHOUT_ROWS = ("sync",)


def sentence(error: BaseException) -> str:
    """Return what happened and what to do, in one sentence or two.

    Args:
        error: What a run of a pipeline raised.
    """
    chain = list(causes_of(error))
    for cause in chain:
        if isinstance(cause, BridgeError):
            return str(cause)
    for cause in chain:
        if said := _known(cause):
            return said
    if any(_before_rows(cause) for cause in chain):
        return (
            f"The destination can't be used: {_first_line(chain[-1])} Check its name, address,"
            " credentials and rights."
        )
    if said := refusal(chain):
        return said
    step = next((cause.step for cause in chain if isinstance(cause, PipelineStepFailed)), None)
    what = f"dlt's step {step}" if step else "The bridge"
    return (
        f"{what} failed ({type(chain[-1]).__name__}), and what it said may hold values of rows, so"
        " it is not shown. What was committed before stays: run it again. If it fails again, tell"
        " us where it happened: --debug shows that; of target-dlt, TARGET_DLT_LOGLEVEL=DEBUG."
    )


def is_understood(error: BaseException) -> bool:
    """Say whether it is known what to do about an error of a pipeline."""
    chain = list(causes_of(error))
    # A lock, a lack of memory: later it may go well.
    passes = refusal(chain) is not None and not is_permanent(chain)
    return passes or any(
        isinstance(cause, BridgeError) or _known(cause) or _before_rows(cause) for cause in chain
    )


def frames(error: BaseException) -> str:
    """Return where an error and its causes happened, without their texts."""
    return "\n".join(
        f"{type(cause).__name__}\n{''.join(traceback.format_tb(cause.__traceback__))}"
        for cause in causes_of(error)
    )


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, the first cause last."""
    found: BaseException | None = error
    seen: set[int] = set()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def _known(error: BaseException) -> str | None:
    """Return what to say of an error that tells by itself what to do."""
    text = str(error)
    for pattern, template in _SENTENCES:
        if found := pattern.search(text):
            return template.format(**found.groupdict())
    return _of_kind(error)


@singledispatch
def _of_kind(_: BaseException) -> str | None:
    """Return what to say of an error that is known by its class."""
    return None


@_of_kind.register
def _(error: OSError) -> str | None:
    return _NO_SPACE if error.errno == errno.ENOSPC else None


@_of_kind.register
def _(error: ConfigFieldMissingException) -> str:
    kind = re.sub(r"(Destination)?(Client)?Configuration$", "", error.spec_name)
    fields = ", ".join(f"`{field}`" for field in error.fields)
    variable = f"DESTINATION__{kind}__{error.fields[0]}".upper()
    return (
        f"The destination {kind.lower()} lacks {fields}. Give it as credentials (a path, a URL or"
        f" an object), in the environment ({variable}), or in dlt's secrets.toml."
    )


@_of_kind.register
def _(error: ConfigValueCannotBeCoercedException) -> str:
    return (
        f"The setting `{error.field_name}` in dlt's configuration is none of its type. The files"
        " are config.toml and secrets.toml in .dlt; variables count more."
    )


@_of_kind.register
def _(error: ValueNotSecretException) -> str:
    return f"`{error.key}` is in config.toml, and holds secrets: it goes into secrets.toml."


@_of_kind.register
def _(error: InvalidNativeValue) -> str:
    how = re.search(r"`(\w+://[^`]+)`", str(error))
    like = f" They look like {how.group(1)}." if how else ""
    return f"The credentials of the destination can't be read.{like}"


@_of_kind.register
def _(error: DataValidationError) -> str:
    column = f"column `{error.column_name}` of " if error.column_name else ""
    return (
        f"The schema contract ({error.schema_entity}: {error.contract_mode}) refuses {column}"
        f"table `{error.table_name}`. Change the contract, or what the tap sends."
    )


@_of_kind.register
def _(error: UnsupportedDataType) -> str:
    return (
        f"{error.destination_type} can't take the {error.data_type} column `{error.column}` of"
        f" table `{error.table_name}` from {error.file_format} files. Child tables have no such"
        ' columns: set nested to "tables".'
    )


@_of_kind.register
def _(error: DestinationTerminalException) -> str | None:
    # Those of its subclasses may quote a database.
    own = type(error) is DestinationTerminalException
    return _problem_of_dlt(error) if own and not error.__cause__ else None


@_of_kind.register(DestinationCapabilitiesException)
@_of_kind.register(IdentifierTooLongException)
@_of_kind.register(MergeDispositionException)
def _problem_of_dlt(error: BaseException) -> str:
    """Return what dlt says of a configuration that can't be: it holds no values of rows."""
    return f"dlt refuses to load: {' '.join(str(error).split())}"


@_of_kind.register
def _(error: DestinationIncompatibleLoaderFileFormatException) -> str:
    known = ", ".join(sorted(error.supported_formats))
    return f"{error.destination} takes no {error.file_format} files. It takes: {known}."


@_of_kind.register
def _(error: PipelineHasPendingDataException) -> str:
    return (
        f"The pipeline {error.pipeline_name} has a package that is not loaded yet. Run it again to"
        " load it."
    )


def _before_rows(error: BaseException) -> bool:
    return isinstance(error, DestinationConnectionError) or (
        isinstance(error, PipelineStepFailed) and error.step in _STEPS_WITHOUT_ROWS
    )


def _first_line(error: BaseException) -> str:
    line = str(error).strip().partition("\n")[0].removeprefix("IO Error: ").rstrip(".!")
    return f"{line or type(error).__name__}."

"""`sentence`: what went wrong in a run of a pipeline, and what to do about it.

dlt's errors name steps, files and classes, and may show values of rows. The cause that a user can
act on is at the end of a chain. The sentences here show no values that come from taps or rows.
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
from dlt.common.configuration.providers.toml import TomlProviderReadException
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
    "No space is left on the disk. Committed rows stay; free some space, and run it"
    " again. The working files are in TMPDIR and in the folder of the pipelines."
)
#: Sentences for errors that are recognized by their texts.
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
#: Steps before any row is sent: their errors are about the connection.
_STEPS_WITHOUT_ROWS = ("sync",)


def sentence(error: BaseException) -> str:
    """Return what happened and what to do, in one sentence or two.

    Args:
        error: The error that a run of a pipeline raised.
    """
    chain = list(causes_of(error))
    for cause in chain:
        if isinstance(cause, BridgeError):
            return str(cause)
    for cause in chain:
        if known_sentence := _known_sentence(cause):
            return known_sentence
    if any(_before_rows(cause) for cause in chain):
        return (
            f"The destination can't be used: {_first_line(chain[-1])} Check its name, address,"
            " credentials and rights."
        )
    if refused := refusal(chain):
        return refused
    step = next((cause.step for cause in chain if isinstance(cause, PipelineStepFailed)), None)
    what = f"dlt's step {step}" if step else "The bridge"
    return (
        f"{what} failed ({type(chain[-1]).__name__}), and its message may contain values of"
        " rows, so it is not shown. Committed rows stay: run it again. If it fails again, tell"
        " us where it happened: run it with --debug, or target-dlt with TARGET_DLT_LOGLEVEL=DEBUG."
    )


def is_understood(error: BaseException) -> bool:
    """Return whether `sentence` has a remedy for an error of a pipeline."""
    chain = list(causes_of(error))
    # Such as a lock or a lack of memory, which may pass.
    is_temporary = refusal(chain) is not None and not is_permanent(chain)
    return is_temporary or any(
        isinstance(cause, BridgeError) or _known_sentence(cause) or _before_rows(cause)
        for cause in chain
    )


def frames(error: BaseException) -> str:
    """Return the tracebacks of an error and its causes, without their texts."""
    return "\n".join(
        f"{type(cause).__name__}\n{''.join(traceback.format_tb(cause.__traceback__))}"
        for cause in causes_of(error)
    )


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, the first cause last."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _known_sentence(error: BaseException) -> str | None:
    """Return the sentence for an error that is known by its text or its class; otherwise None."""
    text = str(error)
    for pattern, template in _SENTENCES:
        if match := pattern.search(text):
            return template.format(**match.groupdict())
    return _of_class(error)


@singledispatch
def _of_class(_: BaseException) -> str | None:
    """Return the sentence for an error that is known by its class; otherwise None."""
    return None


@_of_class.register
def _(error: OSError) -> str | None:
    return _NO_SPACE if error.errno == errno.ENOSPC else None


@_of_class.register
def _(error: TomlProviderReadException) -> str:
    found = re.search(r"at line (\d+) col (\d+)", str(error))
    where = f": line {found.group(1)}, column {found.group(2)}" if found else ""
    return f"dlt's {error.file_name} is not valid TOML in UTF-8{where}."


@_of_class.register
def _(error: ConfigFieldMissingException) -> str:
    kind = re.sub(r"(Destination)?(Client)?Configuration$", "", error.spec_name)
    fields = ", ".join(f"`{field}`" for field in error.fields)
    variable = f"DESTINATION__{kind}__{error.fields[0]}".upper()
    return (
        f"The destination {kind.lower()} lacks {fields}. Give it as credentials (a path, a URL or"
        f" an object), in the environment ({variable}), or in dlt's secrets.toml."
    )


@_of_class.register
def _(error: ConfigValueCannotBeCoercedException) -> str:
    return (
        f"The setting `{error.field_name}` in dlt's configuration has the wrong type. The files"
        " are config.toml and secrets.toml in .dlt; environment variables override them."
    )


@_of_class.register
def _(error: ValueNotSecretException) -> str:
    return f"`{error.key}` is in config.toml, but holds secrets: move it to secrets.toml."


@_of_class.register
def _(error: InvalidNativeValue) -> str:
    how = re.search(r"`(\w+://[^`]+)`", str(error))
    like = f" They look like {how.group(1)}." if how else ""
    return f"The credentials of the destination can't be read.{like}"


@_of_class.register
def _(error: DataValidationError) -> str:
    column = f"column `{error.column_name}` of " if error.column_name else ""
    return (
        f"The schema contract ({error.schema_entity}: {error.contract_mode}) refuses {column}"
        f"table `{error.table_name}`. Change the contract, or what the tap sends."
    )


@_of_class.register
def _(error: UnsupportedDataType) -> str:
    return (
        f"{error.destination_type} can't take the {error.data_type} column `{error.column}` of"
        f" table `{error.table_name}` from {error.file_format} files. Child tables have no such"
        ' columns: set nested to "tables".'
    )


@_of_class.register
def _(error: DestinationTerminalException) -> str | None:
    # Its subclasses may quote a database.
    is_plain = type(error) is DestinationTerminalException
    return _problem_of_dlt(error) if is_plain and not error.__cause__ else None


@_of_class.register(DestinationCapabilitiesException)
@_of_class.register(IdentifierTooLongException)
@_of_class.register(MergeDispositionException)
def _problem_of_dlt(error: BaseException) -> str:
    """Return dlt's own text about an impossible configuration, which holds no values of rows."""
    return f"dlt refuses to load: {' '.join(str(error).split())}"


@_of_class.register
def _(error: DestinationIncompatibleLoaderFileFormatException) -> str:
    formats = ", ".join(sorted(error.supported_formats))
    return f"{error.destination} takes no {error.file_format} files. It takes: {formats}."


@_of_class.register
def _(error: PipelineHasPendingDataException) -> str:
    return (
        f"The pipeline {error.pipeline_name} has a package that is not loaded yet. Run it again to"
        " load it."
    )


def _before_rows(error: BaseException) -> bool:
    """Return whether an error happened before any row was sent."""
    return isinstance(error, DestinationConnectionError) or (
        isinstance(error, PipelineStepFailed) and error.step in _STEPS_WITHOUT_ROWS
    )


def _first_line(error: BaseException) -> str:
    line = str(error).strip().partition("\n")[0].removeprefix("IO Error: ").rstrip(".!")
    return f"{line or type(error).__name__}."

"""`target-dlt`: a Singer target that loads into any destination of dlt."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dlt_bridge.destinations.clients import describe_location
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.checkpoints import committed_packages
from dlt_bridge.run.environment import fix_environment
from dlt_bridge.run.failures import frames, sentence
from dlt_bridge.run.locks import exclusive, in_turn
from dlt_bridge.run.pipelines import PipelineSpec, make_pipeline
from dlt_bridge.run.progress import RunProgress
from dlt_bridge.run.redaction import one_line_logs
from dlt_bridge.run.report import Report
from dlt_bridge.run.signals import (
    STOPPING,
    exit_code,
    exit_if_signalled,
    exit_on_signal,
    leave_if_signalled,
)
from dlt_bridge.source import singer
from dlt_bridge.tap.inputs import SingerLines, source_name, to_source_name
from dlt_bridge.tap.private_folder import private_folder
from dlt_bridge.target.sdk_settings import translated
from dlt_bridge.target.settings import CONTRACT, SETTINGS
from tap_chat.config.environment import environment, from_environment
from tap_chat.config.errors import config_error, config_problems, schema_errors
from tap_chat.config.parsing import without_nulls
from tap_chat.docs import link_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger("target-dlt")

#: Settings that may be texts or objects. The SDK reads these from the environment as texts only.
TEXTS = ("credentials", "schema_contract")
#: The settings that have a default.
DEFAULTS = {
    name: setting["default"]
    for name, setting in SETTINGS["properties"].items()
    if "default" in setting
}
#: Settings that are arguments of `pipeline.run`.
RUN = ("write_disposition", "table_format", "loader_file_format", "schema_contract")


class TargetDlt:
    """Loads the output of any Singer tap into any destination of dlt.

    Args:
        config: The settings.
        parse_env_config: Whether environment variables are settings too.

    Raises:
        ConfigValidationError: A setting is wrong or missing.
        BridgeError: Two settings contradict each other.
    """

    def __init__(
        self, *, config: Mapping[str, Any] | None = None, parse_env_config: bool = False
    ) -> None:
        given = dict(config or {})
        if parse_env_config:
            given |= from_environment(SETTINGS, "TARGET_DLT_", environment())
        given = _with_texts(without_nulls(given, SETTINGS))
        if errors := list(schema_errors(given, SETTINGS, "target-dlt")):
            raise config_error(*errors)
        self._config = DEFAULTS | _with_texts(translated(given))
        for signum in STOPPING:
            signal.signal(signum, exit_on_signal)

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings, with defaults."""
        return self._config

    def load(self, lines: IO[bytes] | IO[str]) -> None:
        """Load messages, and write each STATE when everything before it is committed.

        Args:
            lines: Lines with a Singer message each.

        Raises:
            BridgeError: The messages can't be loaded.
            PipelineStepFailed: dlt failed to load them. Committed rows stay.
        """
        config = self.config
        source = singer(
            SingerLines(lines, refresh=config.get("refresh") or ()),
            account=config.get("account"),
            name=self._pipeline_name,
            nested=config["nested"],
            hard_delete=config.get("hard_delete"),
            absent=config["absent"],
            naming=config.get("naming"),
            on_name_collision=config["on_name_collision"],
            batch_folders=config.get("batch_folders"),
            on_bad_stream=config["on_bad_stream"],
            add_record_metadata=config["add_record_metadata"],
        )
        arguments = {name: value for name in RUN if (value := self._value(name)) is not None}
        with self._folder() as folder, ExitStack() as held:
            pipeline = make_pipeline(self._spec(folder))
            held.enter_context(in_turn(pipeline))
            held.enter_context(exclusive(pipeline))
            # The STATE of what a killed run left was not written: the tap sends it again.
            pipeline.drop()
            report = Report(pipeline)
            # The tap at the other end of a pipe may show its own progress on the same terminal.
            shows = _is_file(lines) and logger.isEnabledFor(logging.INFO)
            progress = held.enter_context(RunProgress("Reading", shows=shows))
            last_state = None
            for package in committed_packages(
                pipeline,
                source,
                checkpoint_every=config["checkpoint_every"],
                batch_size_rows=config.get("batch_size_rows"),
                before_commit=progress.load,
                at_start=progress.begin,
                **arguments,
            ):
                progress.commit()
                report.add(package)
                if package.state and package.state != last_state:
                    last_state = package.state
                    _write_state(last_state)
            progress.end()
            logger.info("%s", report.in_words(describe_location(pipeline)))

    @property
    def _pipeline_name(self) -> str:
        """The name of the pipeline and the source."""
        name = self.config["pipeline_name"]
        # Runners pass on defaults, too.
        account = self.config.get("account") if name == DEFAULTS["pipeline_name"] else None
        return source_name(to_source_name(name), account)

    @property
    def _dataset(self) -> str | None:
        """The dataset that all accounts share; None for that of the pipeline."""
        if self.config.get("account") is None:
            return None
        return f"{to_source_name(self.config['pipeline_name'])}_dataset"

    def _spec(self, folder: str) -> PipelineSpec:
        config = self.config
        return PipelineSpec(
            destination=config["destination"],
            pipeline=self._pipeline_name,
            dataset=config.get("dataset_name") or self._dataset,
            credentials=self._value("credentials"),
            options=config.get("destination_options") or {},
            folder=folder,
        )

    def _value(self, name: str) -> Any:  # noqa: ANN401
        """Return a setting; for one in `TEXTS` that holds an object, the object."""
        value = self.config.get(name)
        if name in TEXTS and str(value).startswith("{"):
            try:
                value = json.loads(str(value))
            except ValueError:
                raise BridgeError(
                    f"The setting `{name}` begins as an object, but is not valid JSON."
                ) from None
        if name in CONTRACT["properties"] and value is not None:
            errors = list(schema_errors({name: value}, CONTRACT, "target-dlt"))
            if errors:
                raise config_error(*errors)
        return value

    @contextmanager
    def _folder(self) -> Iterator[str]:
        """Give the folder for the pipeline's working files."""
        given = self.config.get("pipelines_dir")
        with private_folder("target-dlt-") as private:
            # dlt writes SQL statements to the temporary folder before they belong to a package.
            before, tempfile.tempdir = tempfile.tempdir, str(private)
            try:
                yield str(Path(given).expanduser()) if given else str(private)
            finally:
                tempfile.tempdir = before


def _is_file(lines: IO[bytes] | IO[str]) -> bool:
    """Return whether lines come from a regular file."""
    try:
        return stat.S_ISREG(os.fstat(lines.fileno()).st_mode)
    except (OSError, AttributeError):  # without a file descriptor
        return False


def _with_texts(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config with objects of settings in `TEXTS` as JSON texts.

    Raises:
        ConfigValidationError: A setting is neither a text nor an object. The SDK's error would show
            its value.
    """
    converted = dict(config)
    for name in TEXTS:
        value = converted.get(name)
        if isinstance(value, dict):
            converted[name] = json.dumps(value)
        elif not isinstance(value, (str, type(None))):
            raise config_error(f"The setting `{name}` is neither a text nor an object.")
    return converted


def _write_state(state: str) -> None:
    """Write the value of a STATE to standard output, from where it becomes the tap's next state.

    Args:
        state: The JSON text of the value.

    Raises:
        BridgeError: Standard output is closed.
    """
    try:
        print(state, flush=True)  # noqa: T201 - the output of a target
    except OSError as error:
        # Otherwise Python tries to write it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise BridgeError(
            f"Standard output is closed ({error.strerror}), so the STATE of rows that are committed"
            " could not be passed on. Run it again: these rows will come once more."
        ) from None


def run(config: Mapping[str, Any], lines: IO[bytes], *, parse_env_config: bool) -> None:
    """Load messages; exit with 0 only if every record is in the destination.

    Args:
        config: The settings of the config files.
        lines: Lines with a Singer message each.
        parse_env_config: Whether environment variables are settings too.
    """
    try:
        fix_environment()
        with one_line_logs():
            TargetDlt(config=config, parse_env_config=parse_env_config).load(lines)
    except KeyboardInterrupt as interrupt:
        sys.exit(exit_code(interrupt))
    except Exception as error:  # noqa: BLE001 - any text may hold values of rows
        exit_if_signalled()
        texts = config_problems(error) or [sentence(error)]
        for text in texts:
            logger.error(text)  # noqa: TRY400 - a sentence for people
        logger.info("Docs: %s", link_of(texts[0]))
        logger.debug("It happened here:\n%s", frames(error))
        sys.exit(1)
    finally:
        leave_if_signalled()

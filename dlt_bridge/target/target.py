"""`target-dlt`: a Singer target that loads into any destination of dlt."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from io import BufferedWriter, TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

import click
from singer_sdk.exceptions import SingerSDKError
from singer_sdk.helpers.capabilities import PluginCapabilities, TargetCapabilities
from singer_sdk.plugin_base import PluginBase
from typing_extensions import override

from dlt_bridge.destinations.clients import describe_location
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.checkpoints import committed_packages
from dlt_bridge.run.failures import frames, sentence
from dlt_bridge.run.locks import exclusive, in_turn
from dlt_bridge.run.pipelines import PipelineSpec, make_pipeline
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
from dlt_bridge.tap.inputs import SingerLines, json_object, to_source_name
from dlt_bridge.tap.private_folder import private_folder
from dlt_bridge.target.settings import CONTRACT, SETTINGS
from tap_chat.config.environment import environment, from_environment
from tap_chat.config.errors import config_error, schema_errors
from tap_chat.config.parsing import without_nulls
from tap_chat.logs import make_log_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.capabilities import CapabilitiesEnum

#: Settings that may be texts or objects. The SDK reads these from the environment as texts only.
TEXTS = ("credentials", "schema_contract")
#: Settings that are arguments of `pipeline.run`.
RUN = ("write_disposition", "table_format", "loader_file_format", "schema_contract")


class TargetDlt(PluginBase):
    """Loads the output of any Singer tap into any destination of dlt."""

    name = "target-dlt"
    package_name = "tap-chat"
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS.to_dict()
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.HARD_DELETE,
    ]

    def __init__(
        self,
        *,
        config: dict[str, Any] | None = None,
        parse_env_config: bool = False,
        **plugin: Any,  # noqa: ANN401
    ) -> None:
        """Create the target.

        Args:
            config: The settings.
            parse_env_config: Whether environment variables are settings too.
            plugin: The other argument of the SDK's class: `validate_config`.

        Raises:
            ConfigValidationError: A setting is wrong or missing.
        """
        schema, given = self.config_jsonschema, dict(config or {})
        if parse_env_config:
            given |= from_environment(schema, "TARGET_DLT_", environment())
        given = _with_texts(without_nulls(given, schema))
        # Checked here, because the SDK's errors show values.
        if errors := list(schema_errors(given, schema, self.name)):
            raise config_error(*errors)
        super().__init__(config=given, **plugin)
        for signum in STOPPING:
            # The SDK's own handler exits with 0, as if everything were loaded.
            signal.signal(signum, exit_on_signal)

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        for name in value:
            if name != "ENV":
                json_object(name, "config")
        return super().cb_config(ctx, param, value)

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        command = super().get_singer_command()
        command.help = "Load Singer messages from standard input into a destination of dlt."
        command.params.append(
            click.Option(
                ["--input", "file_input"],
                type=click.File("rb"),
                help="A file to read messages from, instead of standard input.",
            )
        )
        return command

    @classmethod
    @override
    def invoke(
        cls,
        *,
        config: Any = None,
        file_input: IO[bytes] | None = None,
        **about: Any,
    ) -> None:
        super().invoke(**about)
        if sys.stdout is None:  # as in `target-dlt >&-`
            raise BridgeError(
                "Standard output is closed: there is nowhere to pass the STATE on to."
            )
        if file_input is None and sys.stdin is None:
            raise BridgeError("Standard input is closed: there is nothing to load.")
        target = cls(config=config.config, parse_env_config=config.parse_env)
        target.load(file_input or sys.stdin.buffer)

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
            name=to_source_name(config["pipeline_name"]),
            nested=config["nested"],
            hard_delete=config.get("hard_delete"),
            absent=config["absent"],
            naming=config.get("naming"),
            on_name_collision=config["on_name_collision"],
            batch_folders=config.get("batch_folders"),
            on_bad_stream=config["on_bad_stream"],
        )
        arguments = {name: value for name in RUN if (value := self._value(name)) is not None}
        with self._folder() as folder, ExitStack() as held:
            pipeline = make_pipeline(self._spec(folder))
            held.enter_context(in_turn(pipeline))
            held.enter_context(exclusive(pipeline))
            # The STATE of what a killed run left was not written: the tap sends it again.
            pipeline.drop()
            report = Report(pipeline)
            last_state = None
            for package in committed_packages(
                pipeline, source, checkpoint_every=config["checkpoint_every"], **arguments
            ):
                report.add(package)
                if package.state and package.state != last_state:
                    last_state = package.state
                    _write_state(last_state)
            self.logger.info("%s", report.in_words(describe_location(pipeline)))

    def _spec(self, folder: str) -> PipelineSpec:
        config = self.config
        return PipelineSpec(
            destination=config["destination"],
            pipeline=to_source_name(config["pipeline_name"]),
            dataset=config.get("dataset_name"),
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
            errors = list(schema_errors({name: value}, CONTRACT, self.name))
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


def main() -> None:
    """Run the target; exit with 0 only if every record is in the destination."""
    if sys.stderr is None:  # as in `target-dlt 2>&-`: no other file may get its number
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    try:
        Path.cwd()
    except FileNotFoundError:
        sys.exit("The working folder no longer exists. Change to another, and run it again.")
    if isinstance(sys.stdout, TextIOWrapper):
        # In UTF-8, as Singer asks for, whatever the locale. With a buffer even if Python runs
        # unbuffered: otherwise a write to a full disk may end early without an error.
        raw = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        sys.stdout = TextIOWrapper(BufferedWriter(raw), encoding="utf-8")
    try:
        with one_line_logs():
            command = TargetDlt.cli  # this sets up the log
            make_log_plain()
            command()
    except KeyboardInterrupt as interrupt:
        sys.exit(exit_code(interrupt))
    except SingerSDKError as error:
        TargetDlt.logger.error(str(error))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - any text may hold values of rows
        exit_if_signalled()
        TargetDlt.logger.error(sentence(error))
        TargetDlt.logger.debug("It happened here:\n%s", frames(error))
        sys.exit(1)
    finally:
        leave_if_signalled()


if __name__ == "__main__":
    main()

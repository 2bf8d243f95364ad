"""The private parts of the Singer SDK that the tap itself uses.

`tests/tap/test_sdk.py` fails when a new version of the SDK changes one of them.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from singer_sdk.tap_base import CliTestOptionValue, Tap
from typing_extensions import override

from tap_chat.docs import link_of
from tap_chat.singer.writer import MessageWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from click import Command, Option
    from click import Context as ClickContext

    from tap_chat.singer.sdk import ChunkedStream

#: A value of `--test` that the SDK does not have.
JSON_TEST = "json"


class ConfigError(SingerSDKError):
    """Errors of the config. The SDK's command would log a ConfigValidationError itself, and exit.

    Args:
        errors: A sentence for each.
    """

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__(" ".join(errors))
        self.errors = list(errors)


@contextmanager
def own_config_errors() -> Iterator[None]:
    """Keep the SDK's command from handling errors of the config in the body of the `with`.

    Raises:
        ConfigError: The config is wrong.
    """
    try:
        yield
    except ConfigValidationError as error:
        raise ConfigError(error.errors) from None


class HookedTap(Tap):
    """A tap with hooks into private methods of the SDK's class."""

    def test_connections(self, *, as_json: bool) -> list[str]:
        """Test the connection to each platform, and write the results to standard output.

        Args:
            as_json: Whether each result is a line of JSON, not a line for people.

        Returns:
            What is wrong with each connection that does not work, as a sentence.
        """
        raise NotImplementedError

    def begin(self) -> None:
        """Prepare a run. The streams are set up, and nothing is read or written yet."""
        raise NotImplementedError

    def end(self) -> None:
        """End a run: all is written, or an error or a signal ended it."""
        raise NotImplementedError

    def terminate(self, signum: int) -> None:
        """End the run on a signal.

        Args:
            signum: The number of the signal.
        """
        raise NotImplementedError

    @override  # type: ignore[misc]  # no page is read, for which a SCHEMA could wait
    def write_schemas(self) -> None:
        for stream in self.streams.values():
            cast("ChunkedStream", stream).schema_waits = False
        super().write_schemas()

    @override  # type: ignore[misc]  # the SDK has no hook at the end of a run
    def sync_all(self) -> None:
        try:
            super().sync_all()
        finally:
            try:
                # An error or a signal ends the run, but what was read before it is written.
                if isinstance(self.message_writer, MessageWriter):
                    self.message_writer.finish()
            finally:
                self.end()

    @classmethod
    @override
    def print_about(cls, output_format: str | None = None) -> None:
        import tap_chat.config.about  # noqa: F401, PLC0415 - takes the place of the SDK's text

        super().print_about(output_format)

    @classmethod
    @override
    def get_singer_command(cls) -> Command:
        command = super().get_singer_command()
        command.help = (
            "Read chat platforms, and write their records as Singer messages.\n\n"
            "`tap-chat init` asks for the settings of a platform, and writes config.json."
        )
        # \b keeps the line breaks.
        command.epilog = (
            "\b\nExamples:\n"
            "  tap-chat init\n"
            "  tap-chat --config config.json --test\n"
            "  tap-chat --config config.json > chats.jsonl\n"
            "  tap-chat --config=ENV --discover > catalog.json"
        )
        for option in command.params:
            if option.name == "test":
                cast("Option", option).metavar = "[=json|=schema]"
                cast("Option", option).help = (
                    "Use --test to check the credentials of every platform with one request each."
                    " --test=json writes each result as JSON."
                    " Use --test=schema to write the SCHEMA messages, without a request."
                )
        return command

    @classmethod
    @override
    def cb_test(cls, ctx: ClickContext, param: Option, value: str) -> None:
        tests = [option.value for option in CliTestOptionValue]
        if value not in {*tests, JSON_TEST}:
            # The SDK would run all its tests.
            ctx.fail(f"There is no test '{value}'. A config is given as in --config {value}.")
        if value not in {CliTestOptionValue.All.value, JSON_TEST}:
            super().cb_test(ctx, param, value)
            return
        level = cls.logger.level
        if cls.logger.getEffectiveLevel() == logging.INFO:
            # Keep the SDK's lines out of the results.
            cls.logger.setLevel(logging.WARNING)
        config = ctx.params["config"]
        try:
            tap = cls(config=config.config, parse_env_config=config.parse_env)
            failures = tap.test_connections(as_json=value == JSON_TEST)
        finally:
            cls.logger.setLevel(level)
        if failures:
            cls.logger.info("Docs: %s", link_of(failures[0]))
        ctx.exit(1 if failures else 0)

    @classmethod
    @override
    def cb_discover(cls, ctx: ClickContext, param: Option, value: bool) -> None:
        # The SDK logs an error of the config with a prefix, before the version.
        if not value:
            return
        config = ctx.params["config"]
        tap = cls(
            config=config.config,
            parse_env_config=config.parse_env,
            validate_config=cls.dynamic_catalog,
            setup_mapper=False,
        )
        tap.run_discovery()
        ctx.exit()

    @override
    def _set_compatible_replication_methods(self) -> None:
        super()._set_compatible_replication_methods()
        self.begin()

    @override
    def _handle_termination(self, signum: int, frame: object) -> None:
        # The SDK exits with 0, and may write a STATE into the middle of a record.
        self.terminate(signum)

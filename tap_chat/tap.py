"""TapChat: reads the config, makes the streams of its platforms, and hooks into the SDK."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

from msgspec import UNSET
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from typing_extensions import override

from tap_chat.config import parsing
from tap_chat.config.environment import environment, from_environment
from tap_chat.config.errors import config_error, schema_errors
from tap_chat.display import is_watched
from tap_chat.http.rate_limits.throttle import Throttle
from tap_chat.http.transport import Transport
from tap_chat.platforms.configured import ConfiguredPlatforms
from tap_chat.platforms.platform import FurtherAPI
from tap_chat.platforms.registry import Config
from tap_chat.singer.accounts import catalog_with_account, catalog_without_account
from tap_chat.singer.batches import BatchWriter
from tap_chat.singer.catalog import check_catalog
from tap_chat.singer.files import check_config_file, check_file
from tap_chat.singer.progress import Progress
from tap_chat.singer.sdk_tap import HookedTap, own_config_errors
from tap_chat.singer.state import check_state, unwrap_state
from tap_chat.singer.stream_maps import GuardedMapper
from tap_chat.singer.writer import MessageWriter, output_error, write_line
from tap_chat.streams import state_scope
from tap_chat.streams.fan_out import FanOut
from tap_chat.streams.first_pages import read_first_pages
from tap_chat.streams.probes import run_probe
from tap_chat.streams.session import API, Session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from click import Context, Option
    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.platforms.platform import Platform
    from tap_chat.streams.read_plans import ReadPlan
    from tap_chat.streams.stream import ChatStream


class TapChat(HookedTap):
    """Reads every conversation from your chat platforms, as a Singer tap."""

    name = "tap-chat"
    package_name = "tap-chat"
    config_jsonschema: ClassVar[dict[str, Any]] = parsing.json_schema(Config)
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.DISCOVER,
        TapCapabilities.STATE,
        PluginCapabilities.ABOUT,
        PluginCapabilities.BATCH,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    message_writer_class = MessageWriter

    def __init__(
        self,
        *,
        config: dict[str, Any] | None = None,
        parse_env_config: bool = False,
        validate_config: bool = True,
        catalog: dict[str, Any] | None = None,
        **tap: Any,  # noqa: ANN401
    ) -> None:
        """Create the tap.

        Args:
            config: The settings.
            parse_env_config: Whether environment variables are settings too.
            validate_config: False for discovery, which needs no credentials.
            catalog: The catalog, if there is one.
            tap: Further arguments of the SDK's class: `state`, ...

        Raises:
            ConfigValidationError: A setting is wrong or missing, or the catalog or the state is
                not valid.
        """
        # Until the STATE is loaded, the tap must not write one.
        self._has_state = False
        # At DEBUG urllib3 logs the URL of every request, and a URL may carry the API key.
        logging.getLogger("urllib3").setLevel(logging.INFO)
        # It warns of headers that it can't parse with the URL, too.
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
        config, tap_config = self._read_config(
            dict(config or {}), parse_env_config=parse_env_config
        )
        self.settings = parsing.parse(tap_config, Config, complete=validate_config)
        self.platforms = ConfiguredPlatforms.of(self.settings, complete=validate_config)
        self.start_date = parsing.parse_datetime("start_date", self.settings.start_date)
        now = datetime.now(UTC)
        # At most now: a bookmark in the future would leave out the records until then.
        self.end_date = min(parsing.parse_datetime("end_date", self.settings.end_date) or now, now)
        self.user_agent = self.settings.user_agent or f"tap-chat/{self.plugin_version}"
        self.fan_out = FanOut(self.settings.max_workers, first_plans=self._first_plans)
        self.progress = Progress()
        self.transport = Transport(self.settings.max_workers)
        self.accounts = self.platforms.accounts(self.settings.account or None)
        if catalog is not None:
            check_catalog(catalog)
            catalog = catalog_without_account(catalog, self._streams_of_accounts)
        if self.settings.batch_config is not UNSET:
            tap["message_writer"] = BatchWriter(self.settings.batch_config, self.name)
        super().__init__(config=config, validate_config=validate_config, catalog=catalog, **tap)
        level = self.settings.metrics_log_level
        if level is UNSET and is_watched() and "SINGER_SDK_LOG_CONFIG" not in os.environ:
            # The progress display shows the same numbers.
            level = "warning"
        if level is not UNSET:
            self.metrics_logger.setLevel(level.upper())
        if validate_config:
            self._check_selection()

    def _read_config(
        self, config: dict[str, Any], *, parse_env_config: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Merge a config with the environment, and check the settings of the SDK.

        Args:
            config: The settings of the config files.
            parse_env_config: Whether environment variables are settings too.

        Returns:
            The whole config, and its part without the settings of the SDK.

        Raises:
            ConfigValidationError: A setting of the SDK is wrong.
        """
        builtin: dict[str, Any] = {"properties": {}}
        self.append_builtin_config(builtin)
        del builtin["properties"]["batch_config"]  # the tap's own declaration knows Arrow
        if parse_env_config:
            environ = environment()
            for schema in (self.config_jsonschema, builtin):
                variables = from_environment(schema, "TAP_CHAT_", environ)
                config = parsing.merged(config, variables, schema)
        config = parsing.without_nulls(config, self.config_jsonschema)
        of_sdk = {name: value for name, value in config.items() if name in builtin["properties"]}
        if errors := list(schema_errors(of_sdk, builtin, "tap-chat")):
            raise config_error(*errors)
        return config, {name: config[name] for name in config.keys() - of_sdk.keys()}

    @override
    def discover_streams(self) -> Sequence[ChatStream]:
        """Return the streams of the configured platforms; those of all if none is configured."""
        streams: list[ChatStream] = []
        for platform, section in self.platforms.to_read():
            session = Session(
                settings=section,
                apis=self._apis(platform, section),
                start_date=self.start_date,
                end_date=self.end_date,
                user_agent=self.user_agent,
                transport=self.transport,
                fan_out=self.fan_out,
                progress=self.progress,
                write_state=self.state_writer.write_state,
                account=self.accounts.get(platform.name),
            )
            streams += [stream(self, session) for stream in platform.streams]
        return streams

    def _apis(self, platform: Platform, section: PlatformSettings) -> dict[str, API]:
        """Return the APIs of a platform by their names."""
        own = FurtherAPI(
            name="", rate_setting="requests_per_minute", rate_limit=platform.rate_limit
        )
        apis: dict[str, API] = {}
        for api in (own, *platform.further_apis):
            throttle = Throttle(
                getattr(section, api.rate_setting),
                workers=self.settings.max_workers,
                max_wait=section.max_wait,
                name=" ".join(filter(None, (platform.name, api.name))),
                documented=api.rate_limit,
            )
            self.progress.throttles.append(throttle)
            apis[api.name] = API(getattr(section, api.url_setting), throttle)
        return apis

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """The streams by their names, in the order in which they are read."""
        streams = super().streams
        order = self.platforms.stream_names
        return {name: streams[name] for name in order if name in streams}

    @property
    def _streams_of_accounts(self) -> set[str]:
        """The names of the streams whose records name their account."""
        names = self.platforms.stream_names.items()
        return {stream for stream, platform in names if platform in self.accounts}

    @property
    @override
    def catalog_dict(self) -> dict[str, Any]:
        """The catalog as discovery shows it, with the property `_account` where it is written."""
        return catalog_with_account(super().catalog_dict, self._streams_of_accounts)

    def _first_plans(self) -> Iterator[ReadPlan[Any]]:
        """Yield the plans that the streams of this run will read first, in their order."""
        for stream in self.streams.values():
            if stream.parent_stream_type is None and (
                stream.selected or stream.has_selected_descendents
            ):
                yield from cast("ChatStream", stream).first_plans()

    @override
    def setup_mapper(self) -> None:
        # The streams check their part of the catalog before the mapper reads it.
        self.logger.debug("The streams are %s.", ", ".join(self.streams))
        self.mapper = GuardedMapper(plugin_config=dict(self.config), logger=self.logger)
        self.mapper.register_raw_streams_from_catalog(self.catalog)
        for stream in self.streams.values():
            if stream.name not in self.mapper.stream_maps:
                # The catalog lacks it, but a stream that it selects may depend on it.
                self.mapper.register_raw_stream_schema(
                    stream.name, stream.schema, stream.primary_keys
                )

    @override
    def begin(self) -> None:
        state_scope.update_scopes(
            cast("Collection[ChatStream]", self.streams.values()), self.mapper
        )

    @override
    def end(self) -> None:
        self.progress.stop()

    @override
    def run_discovery(self) -> str:
        read_first_pages(self.streams.values())
        try:
            return super().run_discovery()
        except OSError as error:
            raise output_error(error) from None

    @override
    def test_connections(self, *, as_json: bool) -> list[str]:
        self._has_state = False  # a signal that ends the test writes no STATE
        probed = [
            (stream, probe)
            for stream in cast("Iterable[ChatStream]", self.streams.values())
            if (probe := stream.probe())
        ]
        names = [".".join(filter(None, (s.section, s.api_name))) for s, _ in probed]
        width = max(map(len, names))
        failures: list[str] = []
        for name, (stream, probe) in zip(names, probed, strict=True):
            result = run_probe(name, stream.client, stream.api.url, probe)
            write_line(result.json() if as_json else result.line(width))
            if not result.ok:
                failures.append(result.sentence)
        return failures

    @classmethod
    @override
    def cb_config(cls, ctx: Context, param: Option, value: tuple[str, ...]) -> Any:
        for path in value:
            if path != "ENV":
                check_config_file(path)
        return super().cb_config(ctx, param, value)

    @classmethod
    @override
    def invoke(
        cls, *, state: IO[str] | None = None, catalog: IO[str] | None = None, **options: Any
    ) -> None:
        with own_config_errors():
            super().invoke(
                state=check_file(state, "state"),
                catalog=check_file(catalog, "catalog"),
                **options,
            )

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        value = unwrap_state(state)
        check_state(value)
        super().load_state(value)
        self._has_state = True

    @override
    def terminate(self, signum: int) -> None:
        if not self._has_state:
            sys.exit(128 + signum)
        writer = self.message_writer
        if isinstance(writer, MessageWriter) and writer.is_writing:
            writer.when_written = partial(self.terminate, signum)
        else:
            self.state_writer.write_state(self.state)
            sys.exit(128 + signum)

    def _check_selection(self) -> None:
        """Check that the catalog selects streams of configured platforms."""
        entries = (self.input_catalog or {}).values()
        self.platforms.check(
            [entry.tap_stream_id for entry in entries if entry.metadata.resolve_selection()[()]]
        )

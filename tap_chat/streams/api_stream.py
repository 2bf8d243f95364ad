"""Streams that send requests to an API, through a client."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlencode

from singer_sdk.streams.rest import HTTPRequest, PageContext
from typing_extensions import override

from tap_chat.http.api_rules import ApiRules
from tap_chat.http.client import Client
from tap_chat.http.deprecation import Deprecation
from tap_chat.http.request import Request
from tap_chat.singer.accounts import AccountProperty
from tap_chat.singer.sdk import ChunkedStream

if TYPE_CHECKING:
    from requests import PreparedRequest
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context
    from singer_sdk.metrics import Counter

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.http.client import Sign
    from tap_chat.http.clock import ServerClock
    from tap_chat.http.failures import Remedies
    from tap_chat.http.rate_limits.throttle import Throttle
    from tap_chat.http.responses import Body
    from tap_chat.streams.session import Session


class APIStream(ChunkedStream):
    """A stream that holds a client and builds its requests.

    Args:
        tap: The tap.
        session: What the platform's streams share in the run.

    Attributes:
        account: The account that each record names; None without one.
        api: The API that the stream reads.
        client: The client of that API.
        request_count: The number of requests so far, retries included.
    """

    name: str
    #: The platform's section in the config.
    section: ClassVar[str]
    #: The API that the stream reads: the name of a `FurtherAPI`, or empty for that of `api_url`.
    api_name: ClassVar[str] = ""
    #: What to do about requests to the platform that fail.
    remedies: ClassVar[Remedies]
    #: Whether a body that is an object is sent as JSON, or as a form.
    payload_as_json = True

    def __init__(self, tap: Tap, session: Session) -> None:
        self.settings: PlatformSettings = session.settings
        self.start_date = session.start_date
        self.end_date = session.end_date
        self.account = session.account
        self.request_count = 0
        self._session = session
        self.api = session.apis[self.api_name]
        self._counting = threading.Lock()
        super().__init__(tap)
        if self.account is not None:
            self.account_property = AccountProperty(self.name, self.account)
        self.client = self.client_of(self.api.throttle)

    def client_of(
        self,
        throttle: Throttle,
        sign: Sign | None = None,
        rules: ApiRules | None = None,
        remedies: Remedies | None = None,
    ) -> Client:
        """Return a client whose requests count as those of this stream.

        Args:
            throttle: The throttle of its requests.
            sign: Adds the credential to a request; None for that of this stream.
            rules: What the API does otherwise than most; None for that of this stream.
            remedies: What to do about requests that fail; None for those of this stream.
        """
        return Client(
            settings=self.settings,
            throttle=throttle,
            transport=self._session.transport,
            remedies=remedies or self.remedies,
            subject=f"Stream {self.name}: ",
            user_agent=self._session.user_agent,
            sign=sign or self._sign,
            count=self._count_request,
            rules=rules or self.api_rules,
            deprecation=self._session.shared_once(
                ("deprecation", throttle.name), lambda: Deprecation(throttle.name)
            ),
        )

    @property
    def session(self) -> Session:
        """What the platform's streams share in the run."""
        return self._session

    @property
    @override
    def url_base(self) -> str:
        return self.api.url.rstrip("/")

    @override
    def get_url(self, context: Context | None) -> str:
        # Keep the placeholders: the client fills and quotes them. The SDK would not quote.
        return f"{self.url_base}{self.path}"

    @property
    def clock(self) -> ServerClock:
        """The server's clock, as the responses to this stream show it."""
        return self.client.clock

    def new_request(self, context: Context | None) -> Request:
        """Return the request of a list, which `get_http_request` describes, for the client.

        Args:
            context: The parent's keys, which fill the placeholders of the path, or None.
        """
        http = self.get_http_request(page=PageContext(context, None))
        headers, body = http.headers, http.data
        if isinstance(body, Mapping) and not self.payload_as_json:
            headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
            body = urlencode(body, doseq=True)
        # If the stream encodes its parameters itself, its encoding is kept.
        is_plain = type(http) is HTTPRequest and not http.safe_query_chars
        params = http.params if is_plain else http.encode_params()
        return Request(http.url, http.method, context or {}, params, headers, body)

    @property
    def api_rules(self) -> ApiRules:
        """What the API does otherwise than most."""
        return ApiRules(is_api_error=self.is_api_error)

    def is_api_error(self, body: Body) -> bool:  # noqa: ARG002 - most APIs have one 404
        """Return whether the API itself sent the body of a 404.

        Args:
            body: The body.
        """
        return True

    def _sign(self, request: PreparedRequest) -> PreparedRequest:
        return self._authenticator(request)

    @cached_property
    def _authenticator(self) -> Auth:
        return self.authenticator

    @cached_property
    def request_counter(self) -> Counter:
        """Counts the stream's requests, retries included, and logs the number at intervals."""
        return self.get_http_request_counter()

    def _count_request(self) -> None:
        with self._counting:
            self.request_count += 1
            self.request_counter.increment()

    @override
    def log_sync_costs(self) -> None:
        super().log_sync_costs()
        for api in self._session.apis.values():
            api.throttle.log_summary()

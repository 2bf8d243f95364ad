"""`tap-chat --test`: one request to each platform, one line of what is right or what to change."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError

from tap_chat.http import responses
from tap_chat.http.client import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.streams.rest import HTTPRequest

    from tap_chat.streams.stream import ChatStream


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that shows whether the settings of a platform are right.

    Attributes:
        request: The request, as cheap as the API allows.
        check: Checks the decoded body of the answer; raises a FatalAPIError.
        brings: What the answer brings, in words.
    """

    request: HTTPRequest
    check: Callable[[Any], object]
    brings: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe showed.

    Attributes:
        section: The platform's section in the config.
        ok: Whether its settings are right.
        said: What is right, or what is wrong and what to change.
    """

    section: str
    ok: bool
    said: str

    def line(self, width: int) -> str:
        """Return the verdict as a line, with so much room for the name of the platform."""
        return f"{self.section:<{width}}  {'ok' if self.ok else 'failed':<6}  {self.said}"


def verdict(stream: ChatStream, probe: Probe) -> Verdict:
    """Send the request of a probe, once.

    What may pass is not tried again: who tests can do so, and a retry may wait for a minute.

    Args:
        stream: The stream that sends it.
        probe: The probe.
    """
    started = time.monotonic()
    try:
        probe.check(stream.attempt(probe.request, responses.decode))
    except FatalAPIError as error:
        said = str(error)
    except TransientError as error:
        said = f"{error} {error.remedy}".rstrip() + " The credentials could not be checked."
    else:
        seconds = time.monotonic() - started
        said = f"{stream.settings.api_url} answered with {probe.brings} in {seconds:.1f} s."
        return Verdict(stream.section, ok=True, said=said)
    said = said.removeprefix(stream.subject)
    # The parameters are the same in every test.
    said = said.replace(f"?{probe.request.encode_params()}", "", 1)
    return Verdict(stream.section, ok=False, said=said)

"""`tap-chat --test`: one request to each platform, one line of what is right or what to change."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_chat.http import responses
from tap_chat.http.errors import RefusedError, RequestError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_chat.http.client import Client
    from tap_chat.http.request import Request
    from tap_chat.http.responses import Response


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that shows whether the settings of a platform are right.

    Attributes:
        request: The request, as cheap as the API allows.
        check: Checks the decoded body of the answer; raises a RequestError.
        brings: What the answer brings, in words.
    """

    request: Request
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


def verdict(client: Client, probe: Probe) -> Verdict:
    """Send the request of a probe, once.

    What may pass is not tried again: who tests can do so, and a retry may wait for a minute.

    Args:
        client: What sends it.
        probe: The probe.
    """
    started = time.monotonic()
    try:
        probe.check(client.send_once(probe.request, _decode))
    except RequestError as error:
        said = str(error)
    except (TransientError, RefusedError) as error:
        said = f"{error} {error.remedy}".rstrip() + " The credentials could not be checked."
    else:
        seconds = time.monotonic() - started
        said = f"{client.settings.api_url} returned {probe.brings} in {seconds:.1f} s."
        return Verdict(client.remedies.section, ok=True, said=said)
    said = said.removeprefix(client.subject)
    # The parameters are the same in every test.
    said = said.replace(f"?{probe.request.query}", "", 1)
    return Verdict(client.remedies.section, ok=False, said=said)


def _decode(response: Response) -> Any:  # noqa: ANN401
    return responses.decode(response.body)

"""`tap-chat --test`: one request to each platform, and one line with its result."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_chat.http import responses
from tap_chat.http.errors import (
    IgnoredError,
    RefusedError,
    RenewedError,
    RequestError,
    TransientError,
)

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
        check: Checks the decoded body of the response; raises a RequestError.
        contents: What the response contains, such as "the conversations of a minute".
        remark: Returns a further sentence about what the settings let the tap read.
    """

    request: Request
    check: Callable[[Any], object]
    contents: str
    remark: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a probe.

    Attributes:
        name: The name of the API: the platform's section in the config, and its own if it has one.
        ok: Whether its settings are right.
        sentence: The result as a sentence; after a failure, with the remedy.
    """

    name: str
    ok: bool
    sentence: str

    def line(self, width: int) -> str:
        """Return the result as a line.

        Args:
            width: The characters for the name of the API.
        """
        return f"{self.name:<{width}}  {'ok' if self.ok else 'failed':<6}  {self.sentence}"

    def json(self) -> str:
        """Return the result as an object of JSON."""
        return json.dumps({"name": self.name, "ok": self.ok, "result": self.sentence})


def run_probe(name: str, client: Client, api_url: str, probe: Probe) -> ProbeResult:
    """Send the request of a probe, once.

    A transient failure is not retried: a retry may wait for a minute, and the user can test again.

    Args:
        name: The name of the API.
        client: The client of the API.
        api_url: The address of the API.
        probe: The probe.
    """
    started = time.monotonic()
    address = client.rules.masked(api_url)
    client.deprecation.is_logged = False
    try:
        try:
            body = client.send_once(probe.request, _decode)
        except RenewedError:
            body = client.send_once(probe.request, _decode)
        probe.check(body)
    except IgnoredError as error:
        return ProbeResult(
            name,
            ok=True,
            sentence=f"{address} returned {error.status}: the list is empty.",
        )
    except RequestError as error:
        sentence = str(error)
    except (TransientError, RefusedError) as error:
        sentence = f"{error} {error.remedy}".rstrip() + " The credentials could not be checked."
    else:
        seconds = time.monotonic() - started
        sentence = f"{address} returned {probe.contents} in {seconds:.1f} s."
        if stated := client.deprecation.stated:
            sentence += f" This API will end, as its responses say: {stated}."
        if probe.remark:
            sentence += f" {probe.remark()}"
        return ProbeResult(name, ok=True, sentence=sentence)
    sentence = sentence.removeprefix(client.subject)
    # The parameters are the same in every test.
    sentence = sentence.replace(f"?{probe.request.query}", "", 1)
    return ProbeResult(name, ok=False, sentence=sentence)


def _decode(response: Response) -> Any:  # noqa: ANN401
    return responses.decode(response.body)

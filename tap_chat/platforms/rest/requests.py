"""Builds the requests of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tap_chat.declarations.templates import expand
from tap_chat.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_chat.declarations.format import Endpoint

FORM = "application/x-www-form-urlencoded"


def request_of(
    endpoint: Endpoint,
    url: str,
    values: Mapping[str, Any],
    *,
    headers: Mapping[str, Any],
    params: Mapping[str, Any],
) -> Request:
    """Return the request of a list, without what pages it.

    Args:
        endpoint: The endpoint of the resource.
        url: Its URL, which may have placeholders.
        values: The values of the placeholders, by their names.
        headers: The headers of all requests. Those of the endpoint win.
        params: Further parameters, which win.
    """
    headers = {**headers, **expand(endpoint.headers, values)}
    # The value of a parameter that is an object is in a placeholder of its name.
    fixed = {name: value for name, value in endpoint.params.items() if not isinstance(value, dict)}
    body = expand(endpoint.json, values, keep_types=True)
    if endpoint.data is not None:
        body = expand(endpoint.data, values)
        if isinstance(body, dict):
            headers = {"Content-Type": FORM, **headers}
            body = urlencode(body, doseq=True)
    return Request(
        url,
        endpoint.method,
        values,
        {**expand(fixed, values), **params},
        {name: str(value) for name, value in headers.items()},
        body,
    )

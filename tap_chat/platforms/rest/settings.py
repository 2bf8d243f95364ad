"""A section of `rest` in the config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from typing_extensions import override

from tap_chat.config.settings import PlatformSettings, about
from tap_chat.config.validators import account_problem, url_problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class RestSettings(PlatformSettings, frozen=True, kw_only=True):
    """A section of `rest`: a declaration, and the settings of every platform."""

    api_url: Annotated[
        str,
        about(
            "API URL",
            "The address of the API; unset, the `base_url` of the declaration.",
            examples=["https://api.example.com/v1"],
        ),
    ] = ""
    declaration: Annotated[
        str | dict[str, Any],
        about(
            "Declaration",
            "The declaration: an object with `client` and `resources`, or the path of a file (YAML,"
            " TOML or JSON).",
            examples=["matrix.yaml"],
        ),
    ]
    streams: Annotated[
        dict[str, dict[str, Any]],
        about(
            "Additions",
            "What the format of dlt can't say, by the name of the resource.",
            examples=[{"events": {"next_link_hosts": ["other.example.com"]}}],
        ),
    ] = {}  # noqa: RUF012 - msgspec gives every instance its own
    next_link_hosts: Annotated[
        list[str],
        about(
            "Hosts of next links",
            "The hosts, besides that of the API, that links to a next page may lead to; they get"
            " the credential. `*.example.com` stands for every subdomain.",
            examples=[["*.api.example.com"]],
        ),
    ] = []  # noqa: RUF012

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        if self.api_url:
            yield "api_url", url_problem(self.api_url)
        yield "account", account_problem(self.account or "")

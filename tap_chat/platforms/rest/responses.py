"""What the responses of a declared API mean: which have records, which are ignored."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.http.failures import Remedies

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_chat.declarations.format import ResponseAction
    from tap_chat.http.responses import Response

#: The statuses of a request that the API does not understand. Its body says why, and is not shown:
#: it may repeat what was sent.
NOT_UNDERSTOOD = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
#: The statuses of responses with records. A search by POST may return another than 200.
SUCCESSES = range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES)


def ignored_by(actions: Sequence[ResponseAction]) -> Callable[[Response], bool]:
    """Return a function that returns whether a response means that there are no records.

    Args:
        actions: The declared `response_actions`, all of them `ignore`.
    """

    def is_ignored(response: Response) -> bool:
        # A response without content can't be read otherwise.
        return response.status == HTTPStatus.NO_CONTENT or any(
            _matches(action, response) for action in actions
        )

    return is_ignored


def _matches(action: ResponseAction, response: Response) -> bool:
    """Return whether a response has the status and the text of an action, as far as it has them."""
    if action.status_code is None and action.content is None:
        return False
    if action.status_code not in {None, response.status}:
        return False
    return action.content is None or action.content in str(response.body, "utf-8", "replace")


@dataclass(frozen=True, slots=True)
class DeclaredRemedies(Remedies):
    """What to do about requests to a declared API that fail."""

    @override
    def of_status(self, status: int, retry_after: float | None) -> str:
        if status in NOT_UNDERSTOOD:
            return (
                "Send the same request with curl: its response says what the API expects. Then"
                f" correct the endpoint in the declaration of {self.section}."
            )
        text = Remedies.of_status(self, status, retry_after)
        if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            text += (
                " If a record may lead to nothing, add to its endpoint: response_actions:"
                f" [{{status_code: {status}, action: ignore}}]."
            )
        return text


def remedies_of(section: str) -> DeclaredRemedies:
    """Return what to do about failed requests of a declaration.

    Args:
        section: The section of the declaration in the config: `rest.matrix`.
    """
    return DeclaredRemedies(
        section=section,
        address=(
            f"`client.base_url` and the endpoint's `path` in the declaration of {section}: together"
            " they must lead to the list"
        ),
        unknown=(
            f"The credential in `client.auth` of {section} is wrong or expired, or the API expects"
            " it elsewhere."
        ),
        forbidden=(
            f"The credential in `client.auth` of {section} may not read this. Permit it where it"
            " was made, or see whether the account's plan has the API."
        ),
        setting=f"`client.base_url` in the declaration of {section}",
    )


def remedies_of_shipped(
    section: str, addresses: Sequence[str], credentials: Sequence[str]
) -> Remedies:
    """Return what to do about failed requests of a platform whose declaration is shipped.

    Args:
        section: Its section in the config.
        addresses: The names of the settings that are parts of the address.
        credentials: The names of the settings that are credentials.
    """

    def named(settings: Sequence[str]) -> str:
        names = " and ".join(f"{section}.{name}" for name in settings)
        return f"the setting{'s' * (len(settings) > 1)} {names}"

    credential = named(credentials)
    return Remedies(
        section=section,
        address=named(addresses),
        unknown=f"Check {credential}: the API does not accept the credential. It may be expired.",
        forbidden=(
            f"The credential in {credential} may not read this. Permit it where it was made, or see"
            " whether the account's plan has the API."
        ),
    )

"""What `tap-chat --test` says about the groups whose threads a token of LiveChat reads.

With the scope `chats--all:ro`, a token reads the threads of all groups; with `chats--access:ro`,
only those of the groups of its agent, and the others are missing without an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_chat.http.errors import ForbiddenError, RefusedError, RequestError, TransientError
from tap_chat.platforms.livechat.web_api import decoded

if TYPE_CHECKING:
    from tap_chat.platforms.livechat.web_api import WebStream

UNCHECKED = "It was not checked whether the token reads the threads of all groups: "


def describe_groups(stream: WebStream) -> str:
    """Return a sentence about the groups whose threads the token reads.

    Args:
        stream: The stream of the threads, which sends up to three requests.
    """
    try:
        groups = {group["id"] for group in _list(stream, "list_groups")}
        agents = _list(stream, "list_agents", fields=["groups"])
        user = stream.settings.user
        own = next(
            agent for agent in agents if user and user in {agent["id"], agent.get("account_id")}
        )
        others = sorted(groups - {group["id"] for group in own.get("groups") or ()})
    except ForbiddenError:
        return f"{UNCHECKED}it has no right to list groups and agents."
    except (StopIteration, KeyError, TypeError):
        return f"{UNCHECKED}its agent is not known."
    except (RequestError, TransientError, RefusedError):
        return f"{UNCHECKED}the groups or agents could not be read."
    if not others:
        return f"Its agent is in all {len(groups)} groups."
    if _has_threads(stream, others):
        return f"The token reads the threads of all {len(groups)} groups."
    return (
        f"No thread of {len(others)} of the {len(groups)} groups was found, in which its agent is"
        " not: if they have threads, make a token with the scope chats--all:ro."
    )


def _list(stream: WebStream, action: str, **payload: Any) -> Any:  # noqa: ANN401 - checked by use
    return stream.client.send_once(stream.post(f"configuration/action/{action}", payload), decoded)


def _has_threads(stream: WebStream, groups: list[int]) -> bool:
    """Return whether the token reads a thread of some groups: of the first 200."""
    payload = {"filters": {"group_ids": groups[:200]}, "limit": 1}
    try:
        body = stream.client.send_once(stream.post(stream.action, payload), decoded)
    except (RequestError, TransientError, RefusedError):
        return False
    return bool(stream.find_records(body))

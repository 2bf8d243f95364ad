"""The agents, groups, tags and bots of LiveChat: lists of one page each.

https://platform.text.com/docs/management/configuration-api
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.platforms.livechat import account_fields
from tap_chat.platforms.livechat.settings import remedies_of
from tap_chat.platforms.livechat.web_api import WebStream
from tap_chat.streams.paginators import SinglePagePaginator

if TYPE_CHECKING:
    from tap_chat.streams.paginators import Paginator


class ConfigurationStream(WebStream):
    """A list of what the account consists of."""

    records_path = ""

    @override
    def new_paginator(self) -> Paginator:
        return SinglePagePaginator()


class LiveChatAgents(ConfigurationStream):
    """The agents, with all their fields."""

    name = "livechat_agents"
    action = "configuration/action/list_agents"
    payload = {  # noqa: RUF012 - a declaration
        "fields": [
            "groups",
            "work_scheduler",
            "email_subscriptions",
            "notifications",
            "job_title",
            "mobile",
            "max_chats_count",
            "suspended",
            "awaiting_approval",
            "last_logout",
        ]
    }
    primary_keys = ("id",)
    schema = account_fields.AGENTS
    remedies = remedies_of("agents", "agents--all:ro")


class LiveChatGroups(ConfigurationStream):
    """The groups of agents."""

    name = "livechat_groups"
    action = "configuration/action/list_groups"
    payload = {"fields": ["agent_priorities", "routing_status"]}  # noqa: RUF012 - a declaration
    primary_keys = ("id",)
    schema = account_fields.GROUPS
    remedies = remedies_of("groups", "groups--all:ro")


class LiveChatTags(ConfigurationStream):
    """The tags that threads can have."""

    name = "livechat_tags"
    action = "configuration/action/list_tags"
    primary_keys = ("name",)
    schema = account_fields.TAGS
    remedies = remedies_of("tags", "tags--all:ro")


class LiveChatBots(ConfigurationStream):
    """The bots of all apps."""

    name = "livechat_bots"
    action = "configuration/action/list_bots"
    payload = {  # noqa: RUF012 - a declaration
        "all": True,
        "fields": ["groups", "work_scheduler", "job_title", "max_chats_count", "timezone"],
    }
    primary_keys = ("id",)
    schema = account_fields.BOTS
    remedies = remedies_of("bots", "agents-bot--all:ro")

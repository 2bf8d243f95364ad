"""Which fields of the streams refer to which others."""

from tap_chat.platforms.platform import Join

JOINS = (
    Join("freshchat_agents", "freshchat_roles", {"role_id": "id"}),
    Join("freshchat_agents", "freshchat_groups", {"groups[]": "id"}),
    Join("freshchat_users_conversations", "freshchat_users", {"user_id": "id"}),
    Join("freshchat_users_conversations", "freshchat_conversations", {"id": "conversation_id"}),
    Join("freshchat_conversations", "freshchat_account", {"app_id": "app_id"}),
    Join("freshchat_conversations", "freshchat_users", {"user_id": "id"}),
    Join("freshchat_conversations", "freshchat_channels", {"channel_id": "id"}),
    Join("freshchat_conversations", "freshchat_agents", {"assigned_agent_id": "id"}),
    Join("freshchat_conversations", "freshchat_groups", {"assigned_group_id": "id"}),
    Join(
        "freshchat_conversations_messages",
        "freshchat_conversations",
        {"conversation_id": "conversation_id"},
    ),
    Join("freshchat_conversations_messages", "freshchat_users", {"user_id": "id"}),
    Join("freshchat_conversations_messages", "freshchat_channels", {"channel_id": "id"}),
    Join(
        "freshchat_conversations_messages",
        "freshchat_users",
        {"actor_id": "id"},
        where={"actor_type": "user"},
    ),
    Join(
        "freshchat_conversations_messages",
        "freshchat_agents",
        {"actor_id": "id"},
        where={"actor_type": "agent"},
    ),
    Join(
        "freshchat_csat_scores", "freshchat_conversations", {"conversation_id": "conversation_id"}
    ),
    Join("freshchat_csat_scores", "freshchat_agents", {"agent_id": "id"}),
    Join("freshchat_csat_scores", "freshchat_groups", {"group_id": "id"}),
    Join("freshchat_csat_scores", "freshchat_channels", {"channel_id": "id"}),
    Join(
        "freshchat_conversation_events",
        "freshchat_conversations",
        {"conversation_id": "conversation_id"},
    ),
    Join("freshchat_conversation_events", "freshchat_agents", {"agent_id": "id"}),
    Join("freshchat_conversation_events", "freshchat_groups", {"group_id": "id"}),
    Join("freshchat_conversation_events", "freshchat_channels", {"channel_id": "id"}),
    Join(
        "freshchat_chat_transcripts",
        "freshchat_conversations",
        {"conversation_id": "conversation_id"},
    ),
    Join("freshchat_chat_transcripts", "freshchat_conversations_messages", {"message_id": "id"}),
    Join("freshchat_chat_transcripts", "freshchat_users", {"customer_id": "id"}),
    Join("freshchat_chat_transcripts", "freshchat_channels", {"channel_id": "id"}),
)

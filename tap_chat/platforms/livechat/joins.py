"""Which fields of the streams refer to which others."""

from tap_chat.platforms.platform import Join

JOINS = (
    Join("livechat_threads", "livechat_threads", {"previous_thread_id": "id"}),
    Join("livechat_threads", "livechat_threads", {"next_thread_id": "id"}),
    Join("livechat_threads", "livechat_groups", {"access.group_ids[]": "id"}),
    Join("livechat_threads", "livechat_tags", {"tags[]": "name"}),
    Join("livechat_thread_events", "livechat_threads", {"thread_id": "id"}),
    Join(
        "livechat_thread_events",
        "livechat_thread_users",
        {"thread_id": "thread_id", "author_id": "id"},
    ),
    Join("livechat_thread_users", "livechat_threads", {"thread_id": "id"}),
    Join("livechat_thread_users", "livechat_agents", {"id": "id"}, where={"type": "agent"}),
    Join("livechat_agents", "livechat_groups", {"groups[].id": "id"}),
    Join("livechat_bots", "livechat_groups", {"groups[].id": "id"}),
    Join("livechat_tags", "livechat_groups", {"group_ids[]": "id"}),
    Join(
        "livechat_tags",
        "livechat_agents",
        {"author_id": "id"},
        unless="The `author_id` of LiveChat's own tags is empty.",
    ),
    Join("livechat_active_chats", "livechat_threads", {"last_thread_summary.id": "id"}),
    Join("livechat_active_chats", "livechat_groups", {"access.group_ids[]": "id"}),
    Join("livechat_messages", "livechat_chats", {"chat_id": "id"}),
    Join("livechat_events", "livechat_chats", {"chat_id": "id"}),
)

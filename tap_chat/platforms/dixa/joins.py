"""Which fields of the streams refer to which others."""

from tap_chat.platforms.platform import Join

JOINS = (
    Join("dixa_conversation_export", "dixa_queues", {"queue_id": "id"}),
    Join("dixa_conversation_export", "dixa_agents", {"assignee_id": "id"}),
    Join("dixa_conversation_export", "dixa_end_users", {"requester_id": "id"}),
    Join("dixa_conversation_export", "dixa_tags", {"tags_info[].id": "id"}),
    Join(
        "dixa_conversation_export", "dixa_custom_attributes", {"custom_fields[].attribute_id": "id"}
    ),
    Join("dixa_messages", "dixa_conversation_export", {"csid": "id"}),
    Join("dixa_activity_log", "dixa_conversation_export", {"conversationId": "id"}),
    Join("dixa_activity_log", "dixa_agents", {"author.id": "id"}),
    Join("dixa_ratings", "dixa_conversation_export", {"conversation_id": "id"}),
    Join("dixa_ratings", "dixa_agents", {"agentId": "id"}),
    Join("dixa_ratings", "dixa_end_users", {"userId": "id"}),
    Join("dixa_notes", "dixa_conversation_export", {"conversation_id": "id"}),
    Join("dixa_notes", "dixa_agents", {"authorId": "id"}),
)

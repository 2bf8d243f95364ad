select created_at at time zone 'UTC' as written_at, author, author_email, text
from all_messages
where
    platform = 'dixa'
    and conversation_id = '100014'
    and not private
    and not deleted
order by created_at, message_id;

-- All platforms. create_views.py leaves out the views that do not exist. By hand, do the same.
create or replace view all_conversations as
select * from all_conversations_freshchat
union all
select * from all_conversations_dixa
union all
select * from all_conversations_livechat
union all
select * from all_conversations_gorgias
union all
select * from all_conversations_front
union all
select * from all_conversations_intercom
union all
select * from all_conversations_chatwoot;

create or replace view all_messages as
select * from all_messages_freshchat
union all
select * from all_messages_dixa
union all
select * from all_messages_livechat
union all
select * from all_messages_gorgias
union all
select * from all_messages_front
union all
select * from all_messages_intercom
union all
select * from all_messages_chatwoot
union all
select * from all_messages_chat;

create or replace view all_ratings as
select * from all_ratings_freshchat
union all
select * from all_ratings_dixa
union all
select * from all_ratings_livechat
union all
select * from all_ratings_gorgias
union all
select * from all_ratings_intercom;

create or replace view all_reopenings as
select * from all_reopenings_freshchat
union all
select * from all_reopenings_dixa
union all
select * from all_reopenings_livechat
union all
select * from all_reopenings_front;

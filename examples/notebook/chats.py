"""Charts of the chats in a DuckDB file: volume, response times, satisfaction, a conversation.

`marimo edit chats.py` opens it in the browser; `marimo run chats.py` shows it without the code. The
file is that of `make demo`, or another one: `marimo run chats.py -- --file warehouse.duckdb`.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Chats")


@app.cell
def _():
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo

    return Path, alt, duckdb, mo


@app.cell
def _(Path, duckdb, mo):
    arguments = mo.cli_args()
    here = Path(mo.notebook_dir() or ".")
    file = arguments.get("file") or here / "../../output/demo.duckdb"
    dataset = arguments.get("dataset") or "tap_chat_dlt"
    warehouse = duckdb.connect(str(file), read_only=True)
    warehouse.execute(f"use {dataset}")

    def rows(query, *values):
        """Return the rows of a query, as Altair and marimo take them."""
        found = warehouse.execute(query, values)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    return file, rows


@app.cell
def _(Path, file, mo, rows):
    [totals] = rows("""
        select
            (select count(*) from freshchat_conversations) as freshchat,
            (select count(*) from dixa_conversation_export) as dixa,
            (select count(*) from livechat_threads) as livechat
    """)
    mo.md(f"""
    # Chats

    {totals["freshchat"]} conversations of Freshchat, {totals["dixa"]} of Dixa and
    {totals["livechat"]} threads of LiveChat, from `{Path(file).name}`.
    """)
    return


@app.cell
def _(alt, mo, rows):
    volume = rows("""
        select
            strftime(date_trunc('week', started), '%Y-%m-%d') as week,
            platform,
            count(*) as conversations
        from (
            select created_time as started, 'Freshchat' as platform from freshchat_conversations
            union all
            select make_timestamp(created_at * 1000), 'Dixa' from dixa_conversation_export
            union all
            select created_at, 'LiveChat' from livechat_threads
        )
        where started is not null
        group by all order by all
    """)
    volume_chart = (
        alt.Chart(alt.Data(values=volume), title="Conversations a week")
        .mark_area()
        .encode(
            x=alt.X("week:T", title=None),
            y=alt.Y("conversations:Q", title="conversations"),
            color=alt.Color("platform:N", title=None),
            tooltip=["week:T", "platform:N", "conversations:Q"],
        )
        .properties(width="container", height=220)
    )
    mo.vstack([mo.md("## Volume"), volume_chart])
    return


@app.cell
def _(alt, mo, rows):
    responses = rows("""
        with first as (
            select
                conversation_id,
                min(created_time) filter (where actor_type = 'user') as asked,
                min(created_time) filter (where actor_type = 'agent') as answered
            from freshchat_conversations_messages
            group by all
        )
        select
            case
                when answered < asked + interval 5 minutes then 'within 5 minutes'
                when answered < asked + interval 30 minutes then 'within 30 minutes'
                when answered < asked + interval 2 hours then 'within 2 hours'
                when answered < asked + interval 1 day then 'within a day'
                else 'later'
            end as answer,
            count(*) as conversations
        from first
        where answered >= asked
        group by all
    """)
    steps = ["within 5 minutes", "within 30 minutes", "within 2 hours", "within a day", "later"]
    response_chart = (
        alt.Chart(alt.Data(values=responses), title="The first reply of an agent (Freshchat)")
        .mark_bar()
        .encode(
            x=alt.X("conversations:Q", title="conversations"),
            y=alt.Y("answer:N", sort=steps, title=None),
            tooltip=["answer:N", "conversations:Q"],
        )
        .properties(width="container", height=160)
    )
    mo.vstack([mo.md("## Response times"), response_chart])
    return


@app.cell
def _(alt, mo, rows):
    satisfaction = rows("""
        select initial_channel as channel, rating_score as score, count(*) as conversations
        from dixa_conversation_export
        where rating_score is not null
        group by all order by all
    """)
    satisfaction_chart = (
        alt.Chart(alt.Data(values=satisfaction), title="Ratings by channel (Dixa)")
        .mark_bar()
        .encode(
            x=alt.X("conversations:Q", stack="normalize", title="share", axis=alt.Axis(format="%")),
            y=alt.Y("channel:N", title=None),
            color=alt.Color("score:O", scale=alt.Scale(scheme="redyellowgreen"), title="score"),
            tooltip=["channel:N", "score:O", "conversations:Q"],
        )
        .properties(width="container", height=160)
    )
    mo.vstack([mo.md("## Satisfaction"), satisfaction_chart])
    return


@app.cell
def _(mo, rows):
    longest = rows("""
        select conversation_id, count(*) as messages
        from freshchat_conversations_messages
        group by all order by messages desc, conversation_id limit 20
    """)
    choice = mo.ui.dropdown(
        {f"{row['messages']} messages: {row['conversation_id']}": row for row in longest},
        value=f"{longest[0]['messages']} messages: {longest[0]['conversation_id']}",
        label="Conversation",
    )
    mo.vstack([mo.md("## A conversation"), choice])
    return (choice,)


@app.cell
def _(choice, mo, rows):
    texts = rows(
        """
        select
            strftime(created_time, '%Y-%m-%d %H:%M') as time,
            actor_type as by,
            coalesce(message_parts->>'$[0].text.content', '') as text
        from freshchat_conversations_messages
        where conversation_id = ?
        order by created_time, id
        limit 200
        """,
        choice.value["conversation_id"],
    )
    mo.ui.table(texts, selection=None, page_size=15)
    return


if __name__ == "__main__":
    app.run()

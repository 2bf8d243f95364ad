"""Whatever is wrong in a declaration gets a sentence with its place and the repair."""

# ruff: noqa: E501 - the sentences as users see them

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from singer_sdk.exceptions import ConfigValidationError

from tap_chat.declarations.files import load_file
from tap_chat.declarations.reading import read_declaration

FAULTY = Path(__file__).parent / "faulty"
CLIENT = {"base_url": "https://api.example.com"}
ENVIRON = {"API_KEY": "k", "API_TOKEN": "t"}


def problems(document: Any, environ: Any = None) -> list[str]:
    with pytest.raises(ConfigValidationError) as caught:
        read_declaration(document, name="rest.acme", environ=environ or {})
    return [sentence.removeprefix("rest.acme: ") for sentence in caught.value.errors]


def of_resources(*resources: Any, **others: Any) -> list[str]:
    return problems({"client": CLIENT, "resources": list(resources), **others})


def of_endpoint(**endpoint: Any) -> list[str]:
    return of_resources("parent", {"name": "users", "endpoint": endpoint})


def of_auth(auth: Any) -> list[str]:
    return problems({"client": CLIENT | {"auth": auth}, "resources": ["users"]})


def test_declaration_of_messages_is_right() -> None:
    (messages,) = read_declaration(
        load_file(FAULTY / "messages.json"), name="rest.messages", environ=ENVIRON
    ).readings
    assert messages.resource.primary_key == ["id"]


def test_every_fault_of_freshchat_says_what_to_write() -> None:
    size, link, *templates = problems(load_file(FAULTY / "freshchat.json"), ENVIRON)
    assert size.startswith(
        "`resources[0].endpoint.paginator.limit` (roles) is not a key of the format. The size of a"
        " page is a parameter of the request: write it in `params` of the endpoint. The same at"
        " `resources[1].endpoint.paginator.limit` (users), "
    )
    assert link.startswith(
        "`resources[0].endpoint.paginator` (roles) has a `cursor_path` that leads to a link, not to"
        " a cursor. Write `{type: json_link, next_url_path: links.next_page.href}`. The same at"
    )
    assert templates == [
        (
            "`resources[6].endpoint.path` (conversations) has a template of another tool,"
            " `{{ stream_partition['conversation_id'] }}`. Write `{resources.users_conversations.id}`:"
            " the `id` of each record of `users_conversations`."
        ),
        (
            "`resources[7].endpoint.path` (users_conversations) has a template of another tool,"
            " `{{ stream_partition['user_id'] }}`. Write `{resources.users.id}`: the `id` of each"
            " record of `users`."
        ),
        (
            "`resources[8].endpoint.path` (conversations_messages) has a template of another tool,"
            " `{{ stream_partition['conversation_id'] }}`. Write `{resources.conversations.id}`: the"
            " `id` of each record of `conversations`."
        ),
    ]


def test_every_fault_of_dixa_says_what_to_write() -> None:
    assert problems(load_file(FAULTY / "dixa.json"), ENVIRON) == [
        (
            "`resources[0].endpoint.error_handler` (conversation_export) is not a key of the format."
            " What becomes of a failed request, settings next to the declaration say: `max_retries`,"
            " `backoff_factor`. The statuses 429, 500, 502, 503 and 504 are retried without them."
        )
    ]


def test_three_lists_of_livechat_are_refused() -> None:
    assert problems(load_file(FAULTY / "livechat.json")) == [
        "`BASE_CONFIG` is not a key of the format. Write its `base_url` and `auth` in `client`.",
        (
            "`ENDPOINTS` is not a key of the format. Write each as a resource: `resources: [{name:"
            " chats, endpoint: {path: chats}}]`."
        ),
        (
            "`DEPENDENCIES` is not a key of the format. A child takes values of its parent by"
            " placeholders, as in its path: `chats/{resources.chats.id}/messages`."
        ),
        "`client` is missing. The same at `resources`.",
    ]


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        (
            {"pagination": "offset"},
            (
                "`resources[1].endpoint.pagination` (users) is not a key of the format. Write"
                " `paginator`."
            ),
        ),
        (
            {"paginator": "offset"},
            "`resources[1].endpoint.paginator.limit` (users) is missing.",
        ),
        (
            {"paginator": {"type": "offset", "limit": 0}},
            "`resources[1].endpoint.paginator` (users) must have a `limit` of 1 or more.",
        ),
        (
            {"paginator": {"type": "OffsetIncrement", "limit": 5}},
            (
                "`resources[1].endpoint.paginator` (users) has a type that the format does not have."
                " Write `offset`."
            ),
        ),
        (
            {
                "paginator": {
                    "type": "page_number",
                    "total_path": None,
                    "stop_after_empty_page": False,
                }
            },
            (
                "`resources[1].endpoint.paginator` (users) would never end. It needs `total_path`,"
                " `has_more_path`, `maximum_page`, or `stop_after_empty_page: true`."
            ),
        ),
        (
            {"paginator": {"type": "cursor", "cursor_param": "a", "cursor_body_path": "b"}},
            (
                "`resources[1].endpoint.paginator` (users) must have either `cursor_param` or"
                " `cursor_body_path`, not both."
            ),
        ),
        (
            {"paginator": {"type": "cursor", "cursor_param": ""}},
            (
                "`resources[1].endpoint.paginator` (users) must have a name in `cursor_param`, or a"
                " path in `cursor_body_path`."
            ),
        ),
        (
            {"paginator": 5},
            "`resources[1].endpoint.paginator` (users) must be an object, or the name of a type.",
        ),
        (
            {"data_selector": "data["},
            (
                "`resources[1].endpoint.data_selector` (users) is not a JSONPath. One is, for example,"
                " `data.items`."
            ),
        ),
        (
            {"method": "PUT"},
            "`resources[1].endpoint.method` (users) must be `GET` or `POST`.",
        ),
        (
            {"params": {"since": {"type": "incremental", "cursor_path": "at", "end_value": 1}}},
            (
                "`resources[1].endpoint.params.since.end_value` (users) is not a key of a parameter."
                " Write `incremental` in `endpoint`."
            ),
        ),
        (
            {
                "params": {
                    "a": {"type": "incremental", "cursor_path": "at"},
                    "b": {"type": "incremental", "cursor_path": "at"},
                }
            },
            (
                "`resources[1].endpoint.params` (users) has several parameters of the type"
                " `incremental`: a, b. Write one."
            ),
        ),
        (
            {"params": {"a": {"b": 1}}},
            (
                "`resources[1].endpoint.params.a` (users) must be a value, `{type: resolve, resource:"
                " ..., field: ...}` or `{type: incremental, cursor_path: ...}`."
            ),
        ),
        (
            {"params": {"a": {"type": "resolve", "resource": "parent", "field": "id"}}},
            (
                "`resources[1].endpoint.params.a` (users) has the type `resolve`, but the path has no"
                " `{a}`. Elsewhere, write `{resources.parent.id}`."
            ),
        ),
        (
            {"params": {"since": "{incremental.start_value}"}},
            (
                "`resources[1].endpoint.params.since` (users) has a placeholder"
                " `{incremental.start_value}`, but the endpoint has no `incremental`. Write"
                " `incremental: {cursor_path: ...}` next to it."
            ),
        ),
        (
            {"params": {"a": "{incremental.start}"}, "incremental": {"cursor_path": "at"}},
            (
                "`resources[1].endpoint.params.a` (users) has a placeholder `{incremental.start}` that"
                " stands for nothing. Did you mean `start_value`?"
            ),
        ),
        (
            {"json": {"filter": "{name}"}},
            (
                "`resources[1].endpoint.json.filter` (users) has a placeholder `{name}` that stands for"
                " nothing. Write `{resources.<parent>.<field>}` or `{incremental.start_value}`, or"
                " `{{` and `}}` for braces."
            ),
        ),
        (
            {"path": "a/{id}"},
            (
                "`resources[1].endpoint.path` (users) has a placeholder `{id}` without a value. Write"
                " it in `params`, or take it from a parent: `{resources.<parent>.id}`."
            ),
        ),
        (
            {"path": "a/{parent.id}"},
            (
                "`resources[1].endpoint.path` (users) has a placeholder `{parent.id}` that stands for"
                " nothing. Write `{resources.<parent>.<field>}` or `{incremental.start_value}`."
            ),
        ),
        (
            {"path": "a/{resources.parent}"},
            (
                "`resources[1].endpoint.path` (users) has a placeholder `{resources.parent}`. Write"
                " `{resources.<parent>.<field>}`."
            ),
        ),
        (
            {"path": "a/{b"},
            (
                "`resources[1].endpoint.path` (users) has a brace that is not closed, or closes"
                " nothing. Write `{{` and `}}` for a brace."
            ),
        ),
        (
            {"params": {"since": "{{ config['start_date'] }}"}},
            (
                "`resources[1].endpoint.params.since` (users) has a template of another tool,"
                " `{{ config['start_date'] }}`. Write `${START_DATE}` for an environment variable."
            ),
        ),
        (
            {"params": {"since": "{{ stream_interval.start_time }}"}},
            (
                "`resources[1].endpoint.params.since` (users) has a template of another tool,"
                " `{{ stream_interval.start_time }}`. Write `{incremental.start_value}`, and"
                " `incremental` next to it."
            ),
        ),
        (
            {"json": {"page": "{{ next_page_token }}"}},
            (
                "`resources[1].endpoint.json.page` (users) has a template of another tool,"
                " `{{ next_page_token }}`. The paginator sends what leads to the next page."
            ),
        ),
        (
            {"path": "a/{{ user_id }}"},
            (
                "`resources[1].endpoint.path` (users) has a template of another tool, `{{ user_id }}`."
                " Write `{resources.<parent>.user_id}`: the name of another resource, and of a field of"
                " its records."
            ),
        ),
        (
            {"json": {"a": 1}, "data": "b"},
            "`resources[1].endpoint` (users) must have either `json` or `data`, not both.",
        ),
        (
            {"response_actions": [{"action": "ignore"}]},
            (
                "`resources[1].endpoint.response_actions[0]` (users) needs a `status_code`, or a text"
                " in `content`."
            ),
        ),
        (
            {"response_actions": [{"status_code": 404, "action": print}]},
            (
                "`resources[1].endpoint.response_actions[0].action` (users) is an object of Python"
                " (`builtin_function_or_method`), and a declaration is data. Write `ignore`, the only"
                " action that is data."
            ),
        ),
        (
            {"incremental": {"cursor_path": "at", "convert": str}},
            (
                "`resources[1].endpoint.incremental.convert` (users) is an object of Python (`type`),"
                " and a declaration is data. Write the unit that the API takes: `iso`, `date`,"
                " `epoch_s` or `epoch_ms`."
            ),
        ),
        (
            {"incremental": {"cursor_path": "at", "convert": "epoch"}},
            (
                "`resources[1].endpoint.incremental.convert` (users) must be `date` or `epoch_ms` or"
                " `epoch_s` or `iso`."
            ),
        ),
        (
            {"incremental": {"cursor_field": "at"}},
            (
                "`resources[1].endpoint.incremental.cursor_field` (users) is not a key of the format."
                " Write `cursor_path`."
            ),
        ),
        (
            {"auth": "s3cret"},
            (
                "`resources[1].endpoint.auth` (users) has a type that the format does not have. There"
                " is `bearer`, `api_key`, `http_basic`, `oauth2_client_credentials`."
            ),
        ),
    ],
)
def test_wrong_endpoint_has_a_sentence(endpoint: dict[str, Any], sentence: str) -> None:
    assert sentence in of_endpoint(**endpoint)


@pytest.mark.parametrize(
    ("resource", "sentence"),
    [
        (
            {"name": "a", "path": "b"},
            "`resources[0].path` (a) is not a key of the format. Write it in `endpoint`.",
        ),
        ({"endpoint": "a"}, "`resources[0].name` is missing."),
        (5, "`resources[0]` must be an object."),
        (print, "`resources[0]` is an object of Python"),
        (
            {"name": "a", "processing_steps": [{"filter": print}]},
            (
                "`resources[0].processing_steps` (a) is Python code, and a declaration is data. Without"
                " it, the records stay as the API returns them"
            ),
        ),
        (
            {"name": "a", "endpoint": {"path": "b/{resources.a.id}/c"}},
            "`resources` has a loop of parents: a -> a. One of them must take nothing from another.",
        ),
        (
            {"name": "a", "include_from_parent": ["id"]},
            (
                "`resources[0].include_from_parent` (a) needs a parent. Take a value of it in the path:"
                " `{resources.<parent>.<field>}`."
            ),
        ),
        (
            {"name": "a", "write_disposition": "upsert"},
            (
                "`resources[0].write_disposition` (a) must be `append` or `merge` or `replace` or"
                " `skip`."
            ),
        ),
        (
            {"name": "a", "columns": [{"data_type": "text"}]},
            "`resources[0].columns[0]` (a) must be an object with a `name`.",
        ),
        (
            {"name": "a", "columns": {"id": {"data_type": "string"}}},
            "`resources[0].columns.id.data_type` (a) is not a type of dlt. There is `text`, ",
        ),
        (
            {"name": "a", "columns": {"id": {"type": "text"}}},
            "`resources[0].columns.id.type` (a) is not a key of the format. Write `data_type`.",
        ),
        (
            {"name": "a", "columns": {"id": {"nullable": "no"}}},
            "`resources[0].columns.id.nullable` (a) must be",
        ),
    ],
)
def test_wrong_resource_has_a_sentence(resource: Any, sentence: str) -> None:
    assert any(found.startswith(sentence) for found in of_resources(resource, "other"))


def test_child_has_one_parent() -> None:
    found = of_resources(
        "a", "b", {"name": "c", "endpoint": "x/{resources.a.id}/{resources.b.id}/y"}
    )
    assert found == [
        "`resources[2].endpoint` (c) takes values from several parents: a, b. Only one can be read."
    ]


def test_loop_of_parents_is_shown() -> None:
    found = of_resources(
        {"name": "a", "endpoint": "x/{resources.b.id}/y"},
        {"name": "b", "endpoint": "x/{resources.a.id}/y"},
    )
    assert found[0].startswith("`resources` has a loop of parents: ")


def test_two_resources_need_two_names() -> None:
    assert of_resources("a", "a") == [
        "`resources[1].name` (a) `a` is the name of an earlier resource. Write another one."
    ]


def test_declaration_without_resources_is_refused() -> None:
    assert of_resources() == ["`resources` is empty. Write at least one: `resources: [users]`."]


def test_session_is_refused_by_name() -> None:
    found = problems({"client": CLIENT | {"session": requests.Session()}, "resources": ["users"]})
    assert found == [
        (
            "`client.session` is Python code, and a declaration is data. Without it, the tap makes its"
            " requests as its settings say."
        )
    ]


@pytest.mark.parametrize(
    ("auth", "sentence"),
    [
        ("bearer", "`client.auth.token` is missing."),
        ({"type": "http_basic", "username": "u"}, "`client.auth.password` is missing."),
        (
            {"type": "api_key", "api_key": "k", "location": "body"},
            "`client.auth.location` must be `cookie` or `header` or `param` or `query`.",
        ),
        (
            {"token": "t", "headers": {}},
            "`client.auth.headers` is not a key of the format. Write `headers` in `client`.",
        ),
        (
            {"token": "${ACME_TOKEN}"},
            (
                "`client.auth.token` needs the environment variable `ACME_TOKEN`, which is not set. Set"
                " it, or write `ACME_TOKEN=...` to the file .env in the working folder. For the text"
                " itself, write a second dollar sign before it."
            ),
        ),
    ],
)
def test_wrong_authentication_has_a_sentence(auth: Any, sentence: str) -> None:
    assert of_auth(auth) == [sentence]


def test_wrong_secret_is_not_shown() -> None:
    for auth in ("topsecret", {"type": "topsecret"}, {"type": "bearer", "token": ["topsecret"]}):
        assert "topsecret" not in str(of_auth(auth))
    client = {"base_url": "${URL}", "headers": {"X-Key": "${KEY}"}}
    found = problems(
        {"client": client, "resources": ["a"]}, {"URL": "topsecret", "KEY": "topsecret\n"}
    )
    assert found == [
        "`client.base_url` must begin with https:// or http:// and a host.",
        (
            "`client.headers.X-Key` can't be sent in a header: it holds a line break, or a space at an"
            " end."
        ),
    ]


def test_hints_for_the_loader_have_warnings() -> None:
    resource = {"name": "a", "columns": [{"name": "id", "hard_delete": True}]}
    document = {"client": CLIENT, "resources": [resource]}
    source = read_declaration(document, name="rest.acme", environ={})
    assert source.warnings == (
        (
            "rest.acme: `resources[0].columns.id.hard_delete` (a) is not used: it is a setting of the"
            " loader."
        ),
    )


def test_keys_of_the_loader_have_warnings() -> None:
    source = read_declaration(
        {
            "client": CLIENT,
            "resource_defaults": {"endpoint": {"path": "b"}},
            "resources": [
                {"name": "a", "table_name": "t", "parallelized": True, "merge_key": "id"},
                {"name": "b", "write_disposition": {"disposition": "merge", "strategy": "upsert"}},
            ],
        },
        name="rest.acme",
        environ={},
    )
    assert [warning.partition(" is not used")[0] for warning in source.warnings] == [
        "rest.acme: `resources[0].table_name` (a)",
        "rest.acme: `resources[0].merge_key` (a)",
        "rest.acme: `resources[1].write_disposition.strategy` (b)",
        "rest.acme: `resource_defaults.endpoint.path`",
    ]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.yaml", "a: [1\nb: 2\n", "is not valid YAML: line 2, column 2."),
        (
            "a.yaml",
            "a: 1\nb:\n  c: 1\n  c: 2\n",
            "has the key `c` twice in one object: line 4, column 3.",
        ),
        ("a.json", '{"a" 1}', "is not valid JSON: line 1, column 6."),
        ("a.json", '{"a": 1, "a": 2}', "has the key `a` twice in one object."),
        ("a.toml", "a = \n", "is not valid TOML: line 1, column 5."),
        ("a.yaml", "- a\n", "is not an object."),
        ("a.txt", "", "must be a file that ends with .yaml, .yml, .json or .toml."),
    ],
)
def test_wrong_file_has_a_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigValidationError) as caught:
        load_file(path)
    assert caught.value.errors == [f"The declaration {path} {sentence}"]


def test_missing_file_has_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigValidationError) as caught:
        load_file(path)
    assert caught.value.errors == [
        f"The declaration {path} can't be read: No such file or directory."
    ]


def test_dates_of_a_file_are_texts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("at: 2024-01-01\ntime: 2024-01-01 00:00:00\n")
    assert load_file(tmp_path / "a.yaml") == {"at": "2024-01-01", "time": "2024-01-01 00:00:00"}
    (tmp_path / "a.toml").write_text("at = 2024-01-01\n")
    (users,) = read_declaration(
        {
            "client": CLIENT,
            "resources": [
                {"name": "users", "endpoint": {"params": load_file(tmp_path / "a.toml")}}
            ],
        },
        name="rest.acme",
        environ={},
    ).readings
    assert users.endpoint.params == {"at": date(2024, 1, 1).isoformat()}

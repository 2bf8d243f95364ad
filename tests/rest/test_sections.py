"""The setting `rest`: names, files, settings next to a declaration, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from rest.rooms import Rooms, rooms_declaration
from serving import Server
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Run, Runner

URL = "http://127.0.0.1:9"


@pytest.fixture
def server() -> Rooms:
    server = Rooms()
    server.add(4)
    return server


@pytest.fixture
def url(server: Rooms) -> Iterator[str]:
    with Server(server) as api:
        yield api.url


def toml(declaration: dict[str, Any]) -> str:
    """Return a declaration as TOML."""
    client, resources = declaration["client"], declaration["resources"]
    lines = ["[client]", f'base_url = "{client["base_url"]}"']
    lines += ["[client.auth]", 'type = "bearer"', f'token = "{client["auth"]["token"]}"']
    for resource in resources:
        lines.append("[[resources]]")
        lines += [f"{name} = {inline(value)}" for name, value in resource.items()]
    return "\n".join(lines)


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {inline(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


def assert_all_rooms(run: Run, server: Rooms, name: str = "matrix") -> None:
    assert run.code == 0, run.err
    assert run.rows(f"{name}_rooms") == server.rooms
    assert len(run.rows(f"{name}_messages")) == sum(map(len, server.messages.values()))


@pytest.mark.parametrize(
    ("name", "dumped"),
    [("m.yaml", yaml.safe_dump), ("m.yml", json.dumps), ("m.json", json.dumps), ("m.toml", toml)],
)
def test_declaration_may_be_a_file(
    tap: Runner, server: Rooms, url: str, name: str, dumped: Any
) -> None:
    (tap.folder / name).write_text(dumped(rooms_declaration(url)))
    for added in (0, 2):
        server.add(added)
        assert_all_rooms(tap({"rest": {"matrix": name}}), server)


def test_secrets_come_from_the_environment_or_dotenv(tap: Runner, server: Rooms, url: str) -> None:
    declaration = rooms_declaration(url)
    declaration["client"]["auth"]["token"] = "${MATRIX_TOKEN}"
    command = tap.command({"rest": {"matrix": declaration}})
    run = tap.run(command)
    assert run.code == 1
    [error] = run.errors
    assert "rest.matrix" in error
    assert "`MATRIX_TOKEN`, which is not set" in error
    (tap.folder / ".env").write_text("MATRIX_TOKEN=from-dotenv\n")
    assert_all_rooms(tap.run(command), server)
    assert server.headers[-1]["authorization"] == "Bearer from-dotenv"
    assert_all_rooms(tap.run(command, {"TAP_CHAT_X": "1", "MATRIX_TOKEN": "from-env"}), server)
    assert server.headers[-1]["authorization"] == "Bearer from-env"
    found = tap.run([*command, "--discover"])
    state = json.dumps(tap.run(command).state)
    assert "from-dotenv" not in found.out.decode() + found.err + state


def test_settings_are_next_to_the_declaration(tap: Runner, server: Rooms, url: str) -> None:
    file = {"declaration": rooms_declaration(URL), "max_retries": 0, "requests_per_minute": 50_000}
    (tap.folder / "m.yaml").write_text(yaml.safe_dump(file))
    # The settings of the section win over those of the file.
    section = {"declaration": "m.yaml", "api_url": f"{url}/admin"}
    assert_all_rooms(tap({"rest": {"matrix": section}}), server)
    run = tap({"rest": {"matrix": "m.yaml"}})
    assert run.code == 1
    assert "(setting rest.matrix.max_retries)" in run.errors[0]


def test_several_declarations_are_read_with_a_platform(
    tap: Runner, server: Rooms, url: str
) -> None:
    config = {"rest": {"a": rooms_declaration(url), "b": rooms_declaration(url)}}
    run = tap(config)
    assert_all_rooms(run, server, "a")
    assert_all_rooms(run, server, "b")
    run = tap(config | {"chat": {"api_url": URL, "api_key": "k", "max_retries": 0}})
    assert run.code == 1
    assert run.errors[0].startswith("Stream chat_messages")


TAKEN = (
    "The setting `rest.chat` has the name of a platform that tap-chat reads without a declaration."
    " Give the declaration another name."
)
TWICE = (
    "The stream a_b_c is in rest.a and in rest.a_b. Give the declaration another name than"
    " `rest.a_b`."
)
NEXT_TO = (
    "The setting `rest.a` has `max_retries` among the keys of its declaration. Write them next to"
    ' each other: {"declaration": ..., "max_retries": ...}.'
)
NO_FILE = (
    "The setting `rest.a` must be a declaration, or the path of a file that ends with .yaml, .yml,"
    " .json or .toml."
)
NOT_A_NAME = (
    "its name must begin with a letter, and have only letters, digits and underscores, as the names"
    " of its streams begin with it."
)


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ({"my api": rooms_declaration(URL)}, f"The setting `rest.my api` is wrong: {NOT_A_NAME}"),
        ({"": rooms_declaration(URL)}, f"The setting `rest.` is wrong: {NOT_A_NAME}"),
        (
            {"chat": rooms_declaration(URL)},
            TAKEN,
        ),
        (
            {
                "a": {"client": {"base_url": URL}, "resources": ["b_c"]},
                "a_b": {"client": {"base_url": URL}, "resources": ["c"]},
            },
            TWICE,
        ),
        ({"a": rooms_declaration(URL) | {"max_retries": 1}}, NEXT_TO),
        (
            {"a": 7},
            "The setting `rest.a.declaration` is wrong: it must be a text or an object.",
        ),
        (
            {"a": {"declaration": rooms_declaration(URL), "max_retry": 1}},
            "There is no setting `rest.a.max_retry`. Did you mean `rest.a.max_retries`?",
        ),
        (
            {"a": {"declaration": rooms_declaration(URL), "max_retries": -1}},
            "The setting `rest.a.max_retries` is wrong: it must be a whole number from 0 to 100.",
        ),
        (
            {"a": {"declaration": rooms_declaration(URL), "api_url": "x"}},
            "The setting `rest.a.api_url` must begin with https:// or http:// and a host.",
        ),
        (
            {"a": "s3cret"},
            NO_FILE,
        ),
        ({"a": "none.yaml"}, "The declaration none.yaml can't be read: No such file or directory."),
        (
            {"a": {"declaration": rooms_declaration(URL), "streams": {"room": {}}}},
            "rest.a: `streams.room` is not a resource. Did you mean `rooms`?",
        ),
        ("x", "The setting `rest` is wrong: it must be an object."),
    ],
)
def test_what_is_refused_gets_a_sentence(tap: Runner, rest: Any, sentence: str) -> None:
    run = tap({"rest": rest})
    assert run.code == 1
    assert run.errors == [sentence]


def test_one_request_tests_a_declaration(tap: Runner, server: Rooms, url: str) -> None:
    run = tap.run([*tap.command({"rest": {"matrix": rooms_declaration(url)}}), "--test"])
    assert run.code == 0, run.err
    assert run.out.decode().startswith(f"rest.matrix  ok      {url}/admin/ returned records of")
    assert [(path, query["limit"]) for path, query in server.asked] == [("/admin/v1/rooms", "1")]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "The credential in `client.auth` of rest.matrix is wrong or expired"),
        (
            404,
            "Check `client.base_url` and the endpoint's `path` in the declaration of rest.matrix",
        ),
    ],
)
def test_failed_test_says_what_is_wrong(tap: Runner, status: int, words: str) -> None:
    with Server(lambda _: Response("{}", status)) as api:
        config = {"rest": {"matrix": rooms_declaration(api.url)}}
        run = tap.run([*tap.command(config), "--test"])
        assert run.code == 1
        assert len(api.requests) == 1
    assert run.out.decode().startswith("rest.matrix  failed  GET ")
    assert words in run.out.decode()


@pytest.mark.parametrize(
    ("disposition", "keys"), [("append", []), ("merge", ["event_id"]), ("replace", ["event_id"])]
)
def test_write_disposition_chooses_the_keys(
    tap: Runner, server: Rooms, url: str, disposition: str, keys: list[str]
) -> None:
    declaration = rooms_declaration(url)
    declaration["resources"][1]["write_disposition"] = disposition
    for added in (0, 1):
        server.add(added)
        run = tap({"rest": {"matrix": declaration}})
        assert_all_rooms(run, server)
    schemas = {message["stream"]: message for message in run.of_type("SCHEMA")}
    assert schemas["matrix_messages"]["key_properties"] == keys


def test_skipped_resource_is_not_read(tap: Runner, server: Rooms, url: str) -> None:
    declaration = rooms_declaration(url)
    declaration["resources"][1]["write_disposition"] = "skip"
    run = tap({"rest": {"matrix": declaration}})
    assert run.rows("matrix_rooms") == server.rooms
    assert run.rows("matrix_messages") == []
    assert not any(path.endswith("messages") for path, _ in server.asked)

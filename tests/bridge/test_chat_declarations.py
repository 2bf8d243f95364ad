"""`chat` takes a declaration, and loads it into dlt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dlt.sources.helpers.rest_client.paginators import SinglePagePaginator
from rest.rooms import Rooms, rooms_declaration
from running import BIN
from serving import Server

from dlt_bridge import BridgeError, chat
from dlt_bridge.chat_source import config_of_declaration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.command_line import Command
    from staging import Project, Stage

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


def assert_loaded(stage: Stage, server: Rooms) -> None:
    rooms = stage.rows("select room_id from data.matrix_rooms order by 1")
    assert [row[0] for row in rooms] == sorted(room["room_id"] for room in server.rooms)
    [(count,)] = stage.rows("select count(distinct event_id) from data.matrix_messages")
    assert count == sum(map(len, server.messages.values()))


@pytest.mark.usefixtures("project")
def test_declaration_of_python_is_loaded_by_each_run(stage: Stage, server: Rooms, url: str) -> None:
    for added in (0, 2, 1):
        server.add(added)
        source = chat(rooms_declaration(url), name="matrix", requests_per_minute=100_000)
        assert source.name == "matrix"
        assert set(source.selected_resources) == {"matrix_rooms", "matrix_messages"}
        stage.pipeline.run(source)
        assert_loaded(stage, server)


def test_declaration_of_a_file_takes_settings_of_dlt(
    stage: Stage, server: Rooms, url: str, project: Project, tmp_path: Any
) -> None:
    path = tmp_path / "matrix.yaml"
    path.write_text(yaml.safe_dump(rooms_declaration(URL)))
    project.write(config=f'[sources.chat.rest.matrix]\napi_url = "{url}/admin"\nmax_retries = 1')
    stage.pipeline.run(chat(str(path)))
    assert_loaded(stage, server)


@pytest.mark.usefixtures("project")
def test_resource_that_is_not_selected_is_read_for_its_children_alone(
    stage: Stage, server: Rooms, url: str
) -> None:
    declaration = rooms_declaration(url)
    declaration["resources"][0]["selected"] = False
    for added in (0, 2):
        server.add(added)
        stage.pipeline.run(chat(declaration, name="matrix"))
        assert "matrix_rooms" not in stage.pipeline.default_schema.data_table_names()
        [(count,)] = stage.rows("select count(distinct event_id) from data.matrix_messages")
        assert count == sum(map(len, server.messages.values()))
    chosen = chat(declaration, name="matrix", select=["matrix_rooms"])
    assert set(chosen.selected_resources) == {"matrix_rooms"}


def test_settings_come_from_where_dlt_looks(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(config="[sources.chat]\nmax_workers = 3\n[sources.chat.rest.m]\nmax_retries = 1")
    monkeypatch.setenv("SOURCES__CHAT__REST__M__REQUEST_TIMEOUT", "7")
    declaration = rooms_declaration(URL)
    config = config_of_declaration(declaration, "m", {"max_wait": 5, "start_date": "2025-01-01"})
    assert config == {
        "max_workers": 3,
        "start_date": "2025-01-01",
        "rest": {
            "m": {
                "declaration": declaration,
                "max_retries": 1,
                "request_timeout": 7,
                "max_wait": 5,
            }
        },
    }


def code(declaration: Any) -> Any:
    declaration["resources"][0]["endpoint"]["paginator"] = SinglePagePaginator()
    return declaration


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("declaration", "arguments", "words"),
    [
        (rooms_declaration(URL), {}, "chat() needs the argument `name` with a declaration"),
        (rooms_declaration(URL), {"name": "m", "max_retry": 1}, "no setting `rest.m.max_retry`"),
        (rooms_declaration(URL), {"name": "chat"}, "has the name of a platform"),
        (
            rooms_declaration(URL) | {"streams": []},
            {"name": "m"},
            "The setting `rest.m` has `streams` among the keys of its declaration",
        ),
        (
            code(rooms_declaration(URL)),
            {"name": "m"},
            "is an object of Python (`SinglePagePaginator`)",
        ),
        ("nothing.yaml", {}, "The declaration nothing.yaml can't be read"),
    ],
)
def test_what_is_wrong_is_named(declaration: Any, arguments: Any, words: str) -> None:
    with pytest.raises(BridgeError) as refused:
        chat(declaration, **arguments)
    assert words in str(refused.value)


@pytest.mark.usefixtures("project")
def test_error_of_a_run_names_the_path_and_hides_the_credential(stage: Stage, url: str) -> None:
    declaration = rooms_declaration(url)
    declaration["client"]["auth"]["token"] = "s3cret-t0ken"
    declaration["client"]["headers"] = {"X-Key": "s3cret-header"}
    declaration["resources"][0]["endpoint"]["path"] = "v1/s3cret-header/s3cret-t0ken/nothing"
    with pytest.raises(Exception, match="404 Not Found") as failed:
        stage.pipeline.run(chat(declaration, name="matrix"))
    text = str(failed.value)
    assert "/nothing?limit=3" in text
    assert "s3cret" not in text


def test_command_of_dlt_loads_a_declaration(dlt: Command, server: Rooms, url: str) -> None:
    (dlt.folder / "matrix.yaml").write_text(yaml.safe_dump(rooms_declaration(url)))
    (dlt.folder / "config.json").write_text('{"rest": {"matrix": "matrix.yaml"}}')
    for added in (0, 2):
        server.add(added)
        done = dlt.process("singer", "run", str(BIN / "tap-chat"), "--config", "config.json")
        assert done.returncode == 0, done.stderr
        assert str(sum(map(len, server.messages.values()))) in done.stdout

"""What a section adds to a declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from serving import Server

if TYPE_CHECKING:
    from running import Run, Runner
    from starlette.requests import Request


class Chats:
    """Events, each of one of a few chats, and these chats. The links lead to another host."""

    def __init__(self) -> None:
        self.events = [{"id": n, "chat": {"id": f"c{n % 3}"}, "at": n} for n in range(12)]
        self.asked: list[str] = []
        self.port = 0

    def __call__(self, request: Request) -> Any:
        self.asked.append(request.url.path)
        if request.url.path.startswith("/chats/"):
            return {"id": request.url.path.removeprefix("/chats/"), "seen": len(self.asked)}
        page = int(request.query_params.get("page", 0))
        following = f"http://localhost:{self.port}/events?page={page + 1}" if page < 2 else None
        return {"data": self.events[4 * page : 4 * page + 4], "next": following}


def read(tap: Runner, server: Chats, *, max_workers: int = 8, **additions: Any) -> Run:
    with Server(server) as api:
        server.port = int(api.url.rpartition(":")[2])
        hosts = [f"localhost:{server.port}"]
        section: dict[str, Any] = {"next_link_hosts": hosts} | additions
        section["declaration"] = {
            "client": {"base_url": api.url},
            "resources": [
                {
                    "name": "events",
                    "primary_key": "id",
                    "endpoint": {
                        "path": "events",
                        "data_selector": "data",
                        "paginator": {"type": "json_link", "next_url_path": "next"},
                    },
                },
                {
                    "name": "chats",
                    "primary_key": "id",
                    "endpoint": {
                        "path": "chats/{resources.events.chat.id}",
                        "data_selector": "$",
                        "paginator": "single_page",
                    },
                },
            ],
        }
        return tap({"rest": {"desk": section}, "max_workers": max_workers})


@pytest.mark.parametrize("workers", [1, 8])
def test_distinct_parents_are_read_once_in_each_run(tap: Runner, workers: int) -> None:
    server = Chats()
    streams = {"chats": {"distinct_parents": True}}
    for _ in range(2):
        server.asked = []
        run = read(tap, server, streams=streams, max_workers=workers)
        assert run.code == 0, run.err
        assert [row["id"] for row in run.rows("desk_chats")] == ["c0", "c1", "c2"]
        assert len(run.rows("desk_events")) == 12
        # A schema that is inferred costs requests of its own.
        assert server.asked.count("/chats/c2") == 1


def test_parents_are_read_once_each_by_default(tap: Runner) -> None:
    run = read(tap, Chats())
    assert [row["id"] for row in run.rows("desk_chats")] == ["c0", "c1", "c2"] * 4


def test_link_to_another_host_needs_its_name(tap: Runner) -> None:
    run = read(tap, Chats(), next_link_hosts=[])
    assert run.code == 1
    assert any("name it in `next_link_hosts`" in error for error in run.errors), run.errors
    streams = {"events": {"next_link_hosts": ["localhost:1"]}}
    assert read(tap, Chats(), next_link_hosts=[], streams=streams).code == 1


def test_wrong_addition_is_a_sentence(tap: Runner) -> None:
    run = read(tap, Chats(), streams={"chat": {}})
    sentence = "rest.desk: `streams.chat` is not a resource. Did you mean `chats`?"
    assert any(sentence in error for error in run.errors), run.errors


def test_a_list_whose_last_page_links_to_itself_ends_at_a_small_page(tap: Runner) -> None:
    rows = [{"id": n, "at": n} for n in range(25)]

    def respond(request: Request) -> Any:
        page = [row for row in rows if row["at"] >= int(request.query_params["since"])][:10]
        return {"data": page, "next": f"/?since={page[-1]['at']}"}

    endpoint = {
        "path": "",
        "data_selector": "data",
        "paginator": {"type": "json_link", "next_url_path": "next"},
        "incremental": {"cursor_path": "at", "initial_value": 0, "start_param": "since"},
    }
    with Server(respond) as api:
        resource = {"name": "tickets", "primary_key": "id", "endpoint": endpoint}
        section: dict[str, Any] = {
            "declaration": {"client": {"base_url": api.url}, "resources": [resource]}
        }
        run = tap({"rest": {"desk": section}})
        assert run.code == 1
        assert "repeated a next link" in run.err
        assert "write the addition `page_size`" in run.err
        section["streams"] = {"tickets": {"page_size": 10}}
        run = tap({"rest": {"desk": section}})
        assert run.code == 0, run.err
        assert {row["id"] for row in run.rows("desk_tickets")} == set(range(25))
        rows.extend({"id": n, "at": n} for n in range(25, 40))
        run = tap({"rest": {"desk": section}}, state=run.state)
        assert {row["id"] for row in run.rows("desk_tickets")} >= set(range(25, 40))

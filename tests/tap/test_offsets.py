"""Lists by offset: rows that leave and enter while they are read, and every form of the end."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import pytest
from running import chat_config, merged
from serving import Server, rows
from starlette.responses import Response
from typing_extensions import override

from tap_chat.sandbox import Drift, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from running import Run, Runner
    from starlette.requests import Request

    Change = Callable[[list[Any]], object]


@dataclass
class Listing:
    """A list of messages that changes while it is read.

    Attributes:
        rows: The messages.
        takes: The offsets that it takes: any; or multiples of the limit, others being an error or
            rounded down.
        beyond: The response beyond the end; None for an empty list.
        changes: The change before a request, by the number of the request, from 0.
        largest: The number of rows of the largest page.
        at: The offsets of the requests.
    """

    rows: list[Any]
    takes: Literal["any", "multiples", "rounded"] = "any"
    beyond: Any = None
    changes: dict[int, Change] = field(default_factory=dict)
    largest: int = 100
    at: list[int] = field(default_factory=list)

    def __call__(self, request: Request) -> Any:
        offset, limit = (int(request.query_params[name]) for name in ("offset", "limit"))
        if change := self.changes.get(len(self.at)):
            change(self.rows)
        self.at.append(offset)
        if self.takes == "multiples" and offset % limit:
            return Response(status_code=400)
        if self.takes == "rounded":
            offset -= offset % limit
        if self.beyond is not None and offset >= len(self.rows):
            if self.beyond != "last":
                return self.beyond
            offset = max(0, len(self.rows) - 1) // limit * limit
        return {"data": self.rows[offset : offset + min(limit, self.largest)]}


def read(tap: Runner, listing: Listing, **settings: Any) -> Run:
    with Server(listing) as server:
        return tap(chat_config(server, **settings))


def removing(*numbers: int) -> Change:
    def change(there: list[Any]) -> None:
        gone = {f"m{number}" for number in numbers}
        there[:] = [row for row in there if row["id"] not in gone]

    return change


def entering(count: int, place: int, name: str = "new") -> Change:
    new = [{"id": f"{name}{number}"} for number in range(count)]
    return lambda there: there.__setitem__(slice(place, place), new)


@pytest.mark.parametrize("gone", [range(1), range(99), range(450)], ids=str)
@pytest.mark.parametrize(
    ("takes", "before"),
    [*product(["any"], [1, 5]), *product(["multiples"], [2, 5]), *product(["rounded"], [3, 6])],
)
def test_no_row_is_skipped_when_others_are_deleted(
    tap: Runner, gone: range, takes: Any, before: int
) -> None:
    listing = Listing(rows(900), takes=takes, changes={before: removing(*gone)})
    run = read(tap, listing)
    assert run.code == 0, run.err
    ids = [record["id"] for record in run.records]
    assert {row["id"] for row in listing.rows} <= set(ids)
    assert len(ids) == len(set(ids))
    assert len(listing.at) < (20 if takes == "any" else 50)


def test_list_may_shrink_before_each_request(tap: Runner) -> None:
    """Old rows are deleted all the time, and the oldest are read first."""
    steps = {n: removing(*range(40 * n, 40 * n + 40)) for n in range(40)}
    listing = Listing(rows(3000), changes=steps)
    run = read(tap, listing)
    assert run.code == 0, run.err
    assert {row["id"] for row in listing.rows} <= {record["id"] for record in run.records}


@pytest.mark.parametrize("count", [1, 50, 99, 100, 297, 1234])
def test_rows_inserted_before_the_offset_repeat_no_others(tap: Runner, count: int) -> None:
    listing = Listing(rows(450), changes={3: entering(count, 0)})
    run = read(tap, listing)
    assert run.code == 0, run.err
    assert [record for record in run.records if record["id"][0] == "m"] == rows(450)
    assert len({record["id"] for record in run.records}) == len(run.records)


def test_rows_may_be_deleted_and_inserted_at_once(tap: Runner) -> None:
    def change(there: list[Any]) -> None:
        removing(*range(30))(there)
        entering(7, 5)(there)
        entering(50, len(there), "later")(there)

    listing = Listing(rows(450), changes={3: change})
    run = read(tap, listing)
    assert run.code == 0, run.err
    written = {record["id"] for record in run.records}
    assert {row["id"] for row in rows(450)[30:]} <= written
    assert {f"later{n}" for n in range(50)} <= written


def test_reordered_list_is_read_again(tap: Runner) -> None:
    def change(there: list[Any]) -> None:
        there[:] = there[150:] + there[:150]

    run = read(tap, Listing(rows(450), changes={3: change}))
    assert run.code == 0, run.err
    assert {record["id"] for record in run.records} == {row["id"] for row in rows(450)}


def test_list_without_an_order_is_an_error(tap: Runner) -> None:
    shuffled = random.Random(1)
    listing = Listing(rows(9000), changes=dict.fromkeys(range(1000), shuffled.shuffle))
    run = read(tap, listing)
    assert run.code == 1
    assert len(listing.at) < 300


def test_missing_overlap_is_an_error(tap: Runner) -> None:
    """Two servers share an address, and one has only the older half of the list."""

    def answer(request: Request) -> Any:
        offset = int(request.query_params["offset"])
        return {"data": rows(900)[offset : offset + 100] if offset % 2 else rows(100)}

    with Server(answer) as server:
        run = tap(chat_config(server))
    assert run.code == 1
    assert "did not repeat the last row of the page before" in run.errors[0]
    assert len(server.requests) < 30


def test_empty_page_in_the_middle_is_not_the_end(tap: Runner) -> None:
    there: list[Any] = []

    def vanish(now: list[Any]) -> None:
        there[:], now[:] = now, []

    listing = Listing(rows(450), changes={3: vanish, 4: lambda now: now.extend(there)})
    run = read(tap, listing)
    assert run.code == 0, run.err
    assert run.records == rows(450)


def test_list_that_becomes_empty_is_an_error(tap: Runner) -> None:
    run = read(tap, Listing(rows(450), changes={3: lambda there: there.clear()}))
    assert run.code == 1
    assert "returned an empty list that had rows before" in run.errors[0]


def named(answer: object) -> str:
    """Return a name of a response for the tests: the same in each process."""
    return str(answer.status_code if isinstance(answer, Response) else answer)


def beyond_the_end() -> list[Any]:
    return [
        None,
        {"data": None},
        b"",
        *(Response(b'{"message": "made up"}', code) for code in (400, 404, 416, 422)),
        Response(status_code=204),
        "last",
    ]


@pytest.mark.parametrize("beyond", beyond_the_end(), ids=named)
@pytest.mark.parametrize(("takes", "count"), [("any", 200), ("multiples", 200), ("rounded", 150)])
def test_end_of_a_list_may_have_any_form(tap: Runner, beyond: Any, takes: Any, count: int) -> None:
    run = read(tap, Listing(rows(count), takes=takes, beyond=beyond))
    assert run.code == 0, run.err
    assert run.records == rows(count)


@pytest.mark.parametrize(
    "answer", [{"data": None}, {"data": None, "total": 0}, Response(status_code=204)]
)
def test_empty_list_may_have_another_form(tap: Runner, answer: Any) -> None:
    run = read(tap, Listing([], beyond=answer))
    assert run.code == 0, run.err
    assert run.records == []


@pytest.mark.parametrize(
    "answer", [{"data": None, "error": "made up"}, Response(status_code=404), b""]
)
def test_first_page_without_a_list_is_an_error(tap: Runner, answer: Any) -> None:
    assert read(tap, Listing([], beyond=answer)).code == 1


@pytest.mark.parametrize("takes", ["any", "multiples"])
def test_limit_on_offsets_is_reported(tap: Runner, takes: Any) -> None:
    """A search engine reaches only so many rows, and refuses more."""

    class Limited(Listing):
        @override
        def __call__(self, request: Request) -> Any:
            if int(request.query_params["offset"]) + 100 > 1000:
                self.at.append(0)
                return Response(b"{}", 400)
            return super().__call__(request)

    run = read(tap, Limited(rows(5000), takes=takes))
    assert run.code == 1
    assert "returned 400 Bad Request" in run.errors[0]
    assert "chat.filter_param" in run.errors[0]
    assert len(run.records) == 1000 - (takes == "any") * 9


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("takes", ["any", "multiples"])
def test_transient_error_is_not_the_end(tap: Runner, status: int, takes: Any) -> None:
    class Troubled(Listing):
        @override
        def __call__(self, request: Request) -> Any:
            if len(self.at) in {5, 6}:
                self.at.append(0)
                return Response(b"{}", status)
            return super().__call__(request)

    run = read(tap, Troubled(rows(900), takes=takes))
    assert run.records in (rows(900), rows(900)[: len(run.records)])
    assert (run.code == 0) == (len(run.records) == 900)


@pytest.mark.parametrize("place", ["front", "end"])
def test_ignored_offset_is_an_error_even_with_new_rows(tap: Runner, place: str) -> None:
    there = rows(40)

    def answer(_: Request) -> Any:
        if len(there) > 500:
            return []
        new = {"id": f"new{len(there)}"}
        there.insert(0 if place == "front" else len(there), new)
        return {"data": there[:100] if place == "front" else there}

    with Server(answer) as server:
        run = tap(chat_config(server))
    assert run.code == 1
    assert "with mostly known rows" in run.errors[0]
    assert "chat.offset_param" in run.errors[0]
    assert len(server.requests) < 60


def test_pages_of_one_row_are_read(tap: Runner) -> None:
    listing = Listing(rows(7), largest=1, beyond=Response(status_code=404))
    run = read(tap, listing)
    assert run.code == 0, run.err
    assert run.records == rows(7)


@pytest.mark.parametrize("settings", [{}, {"filter_param": "since"}])
@pytest.mark.parametrize("place", [0, 150])
def test_three_runs_over_a_changing_list_miss_nothing(
    tap: Runner, settings: dict[str, Any], place: int
) -> None:
    settings = settings | {"replication_key": "timestamp"}
    drift = Drift(kind="delete", of="messages", after=3, place=place, rows=5)
    later = Drift(kind="delete", of="messages", after=7, place=place, rows=5)
    runs: list[Run] = []
    with Sandbox(World(messages=450), Options(drifts=[drift, later])) as sandbox:
        for messages in (450, 800, 1200):
            sandbox.world = replace(sandbox.world, messages=messages)
            state = runs[-1].state if runs else {}
            runs.append(tap(chat_config(sandbox, **settings), state=state))
            assert runs[-1].code == 0, runs[-1].err
        assert len(sandbox.world.changes.removed) == 10
        there = {(row["id"],) for row in sandbox.world.truth["chat_messages"]}
    assert there <= merged(runs)["chat_messages"].keys()


@pytest.mark.parametrize("hidden", [3, 30])
@pytest.mark.parametrize("end", ["empty", "message"])
def test_hidden_rows_do_not_end_the_list(tap: Runner, hidden: int, end: Any) -> None:
    options = Options(messages_end=end, messages_total=True)
    with Sandbox(World(messages=900, hidden=hidden), options) as sandbox:
        run = tap(chat_config(sandbox))
        assert run.code == 0, run.err
        assert run.records == sandbox.world.truth["chat_messages"]
    assert "states that it has 900 rows" in run.err


@pytest.mark.parametrize("total", [None, 1000, 5000])
@pytest.mark.parametrize("beyond", [Response(b"{}", 400), Response(b"{}", 404), "last"], ids=named)
def test_total_distinguishes_the_end_from_a_limit(
    tap: Runner, total: int | None, beyond: Any
) -> None:
    class Stating(Listing):
        @override
        def __call__(self, request: Request) -> Any:
            answer = super().__call__(request)
            stated = isinstance(answer, dict) and total is not None
            return answer | {"meta": {"total": total}} if stated else answer

    run = read(tap, Stating(rows(1000), takes="multiples", beyond=beyond))
    assert run.records == rows(1000)
    assert (run.code == 0) == (total == 1000)


def test_list_that_ends_before_its_total_is_reported(tap: Runner) -> None:
    """A server reaches only so many rows, and does not report it."""

    def answer(request: Request) -> Any:
        offset = int(request.query_params["offset"])
        return {"data": rows(1000)[offset : offset + 100], "total": 5000}

    with Server(answer) as server:
        run = tap(chat_config(server))
    assert (
        "The list of chat_messages states that it has 5000 rows, and ended after 1000." in run.err
    )


@pytest.mark.parametrize(
    ("count", "total", "settings"),
    [
        (40, None, {}),
        (350, None, {}),
        (350, 350, {}),
        (350, None, {"page_size": 1}),
        (25_037, None, {"page_size": 1000}),
    ],
)
def test_offset_that_wraps_around_ends_the_list(
    tap: Runner, count: int, total: int | None, settings: dict[str, Any]
) -> None:
    there = rows(count)

    def answer(request: Request) -> Any:
        offset, limit = (int(request.query_params[name]) for name in ("offset", "limit"))
        data = [there[(offset + place) % count] for place in range(limit)]
        return {"data": data} if total is None else {"data": data, "total": total}

    with Server(answer) as server:
        run = tap(chat_config(server, **settings))
    assert {record["id"] for record in run.records} == {row["id"] for row in there}
    assert len(run.records) < 2 * count + 100
    if total:
        assert run.code == 0, run.err
    else:
        assert run.code == 1
        assert "repeated a page" in run.errors[0]


def test_rows_moved_to_the_end_do_not_restart_the_list(tap: Runner) -> None:
    def change(there: list[Any]) -> None:
        there[:] = there[80:] + there[:80]

    run = read(tap, Listing(rows(445), changes={3: change}))
    assert run.code == 0, run.err
    assert {record["id"] for record in run.records} == {row["id"] for row in rows(445)}


@pytest.mark.parametrize("bad", [1, 2, 3, 5, 6, 8])
@pytest.mark.parametrize(
    ("takes", "rows_left", "largest"), [("any", 1, 100), ("any", 1, 30), ("rounded", 0, 100)]
)
def test_one_page_with_nothing_new_is_not_the_end(
    tap: Runner, takes: Any, rows_left: int, largest: int, bad: int
) -> None:
    """A replica of the server lags behind for one request."""

    class Behind(Listing):
        @override
        def __call__(self, request: Request) -> Any:
            late = len(self.at) == bad
            answer = super().__call__(request)
            return {"data": answer["data"][:rows_left]} if late else answer

    listing = Behind(rows(350), takes=takes, largest=largest)
    run = read(tap, listing)
    assert run.records == rows(350) or run.code == 1
    assert len(listing.at) < 25


@pytest.mark.parametrize("count", [1, 50, 100, 250])
def test_end_of_a_list_costs_one_request(tap: Runner, count: int) -> None:
    listing = Listing(rows(count))
    run = read(tap, listing)
    assert run.records == rows(count)
    assert len(listing.at) == -(-count // 100) + 2


@pytest.mark.parametrize(
    ("kind", "total", "said"),
    [
        ("ends", None, "returned nothing after 10000 rows"),
        ("ends", 10_537, "returned nothing after 10000 rows"),
        ("stays", None, "repeated a page"),
        ("stays", 10_537, "repeated a page"),
    ],
)
def test_silent_limit_on_offsets_is_an_error(
    tap: Runner, kind: str, total: int | None, said: str
) -> None:
    there = rows(10_537)

    def answer(request: Request) -> Any:
        offset = int(request.query_params["offset"])
        if kind == "ends":
            data = there[offset : min(offset + 100, 10_000)]
        else:
            data = there[min(offset, 10_000) :][:100]
        return {"data": data} if total is None else {"data": data, "total": total}

    with Server(answer) as server:
        run = tap(chat_config(server))
    assert run.code == 1
    assert said in run.errors[0]
    assert "chat.filter_param" in run.errors[0]


@pytest.mark.parametrize(
    ("count", "total"), [(90, {}), (90, {"total": 90}), (150, {}), (150, {"total": 150})]
)
def test_offset_rounded_to_the_limit_of_the_request_loses_nothing_of_smaller_pages_unnoticed(
    tap: Runner, count: int, total: dict[str, int]
) -> None:
    """The server gives 70 rows at once, so that no offset leads to the rows from 70 to 99."""
    listing = Listing(rows(count), takes="rounded", largest=70)
    with Server(lambda request: listing(request) | total) as server:
        run = tap(chat_config(server))
    assert run.code == 1
    assert "repeated a page" in run.errors[0]

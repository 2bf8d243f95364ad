"""The contexts that were read last."""

from __future__ import annotations

from tap_chat.streams.recent_contexts import RecentContexts


def test_a_context_is_new_once() -> None:
    recent = RecentContexts()
    assert [recent.add(key) for key in "abacb"] == [True, True, False, True, False]


def test_what_was_read_long_ago_is_new_again() -> None:
    recent = RecentContexts(most=2)
    # The `a` that comes again is known for longer than the `b`.
    assert [recent.add(key) for key in "abacab"] == [True, True, False, True, False, True]

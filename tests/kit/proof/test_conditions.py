from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.conditions import CACHE_CONTROL, Change, Conditions, accepts, in_words, of_answer, unlike
from service import proof

ALL = [
    Conditions(method, media, header, incremental, coding, http2, cache=cache)  # type: ignore[arg-type]
    for method, media, header, incremental, coding, http2, cache in itertools.product(
        ("GET", "POST"),
        ("text/event-stream", "text/html; charset=utf-8"),
        ("on", "off"),
        ("on", "off"),
        ("gzip, br", "identity", ""),
        (True, False),
        ("", "no-cache", "no-cache, no-transform"),
    )
]


@pytest.mark.parametrize("change", Change)
def test_a_change_changes_one_thing_at_most(change: Change) -> None:
    for before in ALL:
        after = change.applied(before)
        differ = [name for name in Conditions.__slots__ if getattr(before, name) != getattr(after, name)]
        assert len(differ) <= 1


@pytest.mark.parametrize(
    "change",
    sorted(set(Change) - {Change.METHOD, Change.HTTP_VERSION, Change.INCREMENTAL}),
)
def test_a_change_made_twice_is_made_once(change: Change) -> None:
    for before in ALL:
        assert change.applied(change.applied(before)) == change.applied(before)


def test_words_tell_apart_whatever_two_conditions_differ_in_but_for_the_incremental_header() -> None:
    named = [one for one in ALL if one.coding]  # none and identity are the same to a reader
    assert len({in_words(one) for one in named}) == len(named) / 2


ASKED = {"accept": "text/html", "accept-encoding": "gzip, br"}
HEAD = {
    "content-type": "text/html;charset=UTF-8",
    "cache-control": "No-Cache, max-age=0",
    "vary": "Accept-Encoding, Accept-Encoding",
    "incremental": "?1",
}


def test_all_that_a_hop_may_decide_by_is_the_answers_to_the_letter() -> None:
    at = of_answer("PUT", ASKED, HEAD, header="off", http2=True)
    assert at == Conditions(
        "POST",
        "text/html;charset=UTF-8",
        "off",
        "on",
        "gzip, br",
        http2=True,
        cache="No-Cache, max-age=0",
        vary="Accept-Encoding",
        accept="text/html",
    )
    assert at.framing == "text"
    bare = of_answer("GET", {}, {"content-type": "text/event-stream"}, header="off", http2=False)
    assert bare == Conditions(media="text/event-stream", header="off", incremental="off", cache="")


@given(
    st.text() | st.from_regex(r"(text|application)/[a-z]+(; ?[a-z]+=[a-z]+)*"),
    st.text() | st.from_regex(r"[a-z, -]+"),
)
def test_a_proof_stream_is_asked_to_bear_nothing_that_its_origin_refuses(media: str, listed: str) -> None:
    head = {"content-type": media, "cache-control": f"no-store, {listed}", "vary": f"Origin, {listed}"}
    at = of_answer("GET", {}, head, header="on", http2=False)
    asked = {"content": at.media, "cache": at.cache, "vary": at.vary or "Origin"}
    plan = proof._Plan.parse({"id": "0" * 32, **asked})
    assert (plan.content, plan.cache) == (at.media, at.cache)


def test_two_heads_differ_only_where_a_hop_may_decide_by_it() -> None:
    same = {**HEAD, "content-type": "text/html; charset=utf-8", "cache-control": "max-age=0,no-cache"}
    assert unlike(HEAD, {**same, "date": "now", "vary": "Origin", "content-encoding": "identity"}) == ()
    assert unlike(HEAD, {**same, "cache-control": CACHE_CONTROL}) == ("Cache-Control",)
    assert unlike(HEAD, {**same, "x-accel-buffering": "no", "content-encoding": "gzip"}) == (
        "Content-Encoding",
        "X-Accel-Buffering",
    )


def test_a_change_says_what_it_changes_to() -> None:
    assert Change.METHOD.words(Conditions("POST")) == "by GET"
    assert Change.HTTP_VERSION.words(Conditions(http2=True)) == "over HTTP/1.1"
    assert Change.INCREMENTAL.words(Conditions()) == "without Incremental: ?1"


@pytest.mark.parametrize(
    ("asked", "came", "fine"),
    [
        ("gzip, br", "br", True),
        ("gzip, br", "zstd", False),
        ("gzip;q=0.5", "x-gzip", True),
        ("gzip;q=0, *", "gzip", False),
        ("gzip; q=0.0, *", "br", True),
        ("identity", "gzip", False),
        ("identity", "identity", True),
        ("identity", "", True),
        ("", "gzip", True),
    ],
)
def test_a_client_can_read_the_codings_that_it_accepts(asked: str, came: str, fine: bool) -> None:
    assert accepts(asked, came) is fine

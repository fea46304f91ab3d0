"""The workshop as one: that it is ready is said of a page that is served."""

from __future__ import annotations

import asyncio

import pytest

from kit.workshop.serving import listen
from kit.workshop.workshop import Door, Show, show_specs


def test_a_page_that_is_not_served_is_never_called_ready() -> None:
    listening, said = listen("127.0.0.1", 0), list[str]()
    listening.close()
    show = Show(Door(listening, "127.0.0.1"), {}, 60.0, lambda: said.append("ready"))
    with pytest.raises(OSError, match="file descriptor"):
        asyncio.run(asyncio.wait_for(show_specs(show, {}, "url"), 60))
    assert said == []


def test_the_address_holds_a_secret_of_its_own_where_others_reach_the_page() -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert Door.of(listening, "127.0.0.1", ()).url == f"http://127.0.0.1:{port}"
        doors = [Door.of(listening, host, ()) for host in ("0.0.0.0", "192.0.2.7")]
        doors.append(Door.of(listening, "127.0.0.1", ("room.example",)))
        for door in doors:
            assert door.secret is not None
            assert len(door.secret) == 22  # 128 bits
            assert door.secret not in repr(door)
            for url in filter(None, (door.url, door.url_for_others)):
                assert url.endswith(f":{port}/?token={door.secret}")
    assert len({door.secret for door in doors}) == len(doors)

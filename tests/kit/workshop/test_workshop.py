"""The workshop as one: that it is ready is said of a page that is served."""

from __future__ import annotations

import asyncio

import pytest

from kit.workshop.serving import listen
from kit.workshop.workshop import PageAddress, Session, show_specs


def test_a_page_that_is_not_served_is_never_called_ready() -> None:
    listening, said = listen("127.0.0.1", 0), list[str]()
    listening.close()
    session = Session(PageAddress(listening, "127.0.0.1"), {}, 60.0, lambda: said.append("ready"))
    with pytest.raises(OSError, match="file descriptor"):
        asyncio.run(asyncio.wait_for(show_specs(session, {}, "url"), 60))
    assert said == []


def test_the_address_holds_a_secret_of_its_own_where_others_reach_the_page() -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert PageAddress.of(listening, "127.0.0.1", ()).url == f"http://127.0.0.1:{port}"
        addresses = [PageAddress.of(listening, host, ()) for host in ("0.0.0.0", "192.0.2.7")]
        addresses.append(PageAddress.of(listening, "127.0.0.1", ("room.example",)))
        for address in addresses:
            assert address.secret is not None
            assert len(address.secret) == 22  # 128 bits
            assert address.secret not in repr(address)
            for url in filter(None, (address.url, address.url_for_others)):
                assert url.endswith(f":{port}/?token={address.secret}")
    assert len({address.secret for address in addresses}) == len(addresses)

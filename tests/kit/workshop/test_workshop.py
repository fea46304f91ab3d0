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

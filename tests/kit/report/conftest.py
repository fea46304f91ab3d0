"""The reports in the other language."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.language import speak


@pytest.fixture
def chinese() -> Iterator[None]:
    """What is printed within this test is Chinese."""
    speak("zh")
    yield
    speak("en")

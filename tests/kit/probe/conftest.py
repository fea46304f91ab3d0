"""The probe's servers that misbehave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.misbehaving import misbehaving


@pytest.fixture
def server() -> Callable[..., Any]:
    """A function that starts a server which answers as a test says: `misbehaving`."""
    return misbehaving

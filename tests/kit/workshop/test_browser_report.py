from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.workshop.browser_report import read


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_the_octets_come_out_as_they_went_in(reads: list[bytes]) -> None:
    report = {"now_ms": 5.0, "reads": [[float(at), len(octets)] for at, octets in enumerate(reads)]}
    seen, found = read(json.dumps(report).encode() + b"\n" + b"".join(reads))
    assert (seen.now_ms, found) == (5.0, [(float(at), octets) for at, octets in enumerate(reads)])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"now_ms": NaN}',
        b'{"now_ms": 1e999}',
        b'{"now_ms": 1, "what": 2}',
        b'{"now_ms": 1, "reads": [[1, 3]]}\nab',
        b'{"now_ms": 1, "reads": [[1, -1]]}\n',
        b'{"now_ms": 1, "head": {"at": 1, "status": 20, "headers": {}}}',
    ],
)
def test_what_is_no_report_is_refused_in_a_sentence(body: bytes) -> None:
    with pytest.raises(KitError) as caught:
        read(body)
    assert caught.value.code is Code.BAD_USAGE


@given(st.binary(max_size=200))
def test_anything_else_is_refused_or_read(body: bytes) -> None:
    with contextlib.suppress(KitError):
        read(body)

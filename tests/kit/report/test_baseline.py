"""A baseline's file holds what was written, and says where it is wrong."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.proof.baseline import WHAT, Against, Miss
from kit.proof.verdict import Verdict
from kit.report.baseline import read, sentences, toml

MISSES = st.builds(
    Miss,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(WHAT).map(str),
    st.none() | st.sampled_from(Verdict),
    st.none() | st.integers(0, 2**50),
    st.none() | st.floats(0, 1e15),
)


@given(st.lists(MISSES, max_size=5, unique_by=lambda one: (one.lane, one.what)))
def test_what_is_written_is_read_again(known: list[Miss]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "baseline.toml")
        file.write_text(toml(known), encoding="utf-8")
        assert sorted(read(file), key=str) == sorted(known, key=str)
        assert toml(read(file)) == toml(known)


def test_it_reads_as_a_person_would_write_it() -> None:
    known = [Miss("run off", "delivered", Verdict.BYTE_LIMITED, 65536), Miss("run off", "cancel", figure=9e3)]
    assert toml(known).partition("\n\n")[2] == (
        '[[known]]\nlane = "run off"\nmissed = "cancel"\nfigure = 9000.0\n\n'
        '[[known]]\nlane = "run off"\nmissed = "delivered"\nverdict = "byte-limited"\noctets = 65536\n'
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("known = 1", "known"),
        ('[[known]]\nlane = "a"\nmissed = "speed"', "missed"),
        ('[[known]]\nlane = "a"\nmissed = "cancel"\nverdict = "slow"', "verdict"),
        ('[[known]]\nlane = "a"\nmissed = "cancel"\n[[known]]\nlane = "a"\nmissed = "cancel"', "known.1"),
        ("{", "cannot be read as TOML"),
    ],
)
def test_what_is_no_baseline_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "baseline.toml"
    file.write_text(text)
    with pytest.raises(KitError, match=says) as error:
        read(file)
    assert error.value.code is Code.BAD_CONFIG


def test_a_sentence_each_says_what_is_new_worse_known_and_better() -> None:
    held = Miss("a", "delivered", Verdict.BYTE_LIMITED, 4096)
    whole = Miss("b", "delivered", Verdict.WHOLE_MESSAGE)
    late, later = Miss("c", "cancel", figure=2_000.0), Miss("c", "cancel", figure=9_000.0)
    found = Against((), (held,), (whole,), ((later, late),), ((whole, None), (later, late)))
    assert sentences(found, Path("b.toml")) == [
        "new: b, delivered: buffered whole; b.toml does not know it",
        "worse: c, cancel: 9000 ms, known as 2000 ms in b.toml",
        "known: a, delivered: buffered in blocks of 4 KiB, as in b.toml",
        "better: b, delivered: known as buffered whole, and now as expected: its entry can go",
        "better: c, cancel: known as 9000 ms, and now 2000 ms",
    ]

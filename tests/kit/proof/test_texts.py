from __future__ import annotations

import pytest

from kit.proof.causes import Cause
from kit.proof.client_causes import ClientCause, Unclear
from kit.proof.doubts import Doubt
from kit.proof.texts import Explained, table

WITHOUT_REMEDY = {ClientCause.HELD_OTHERWISE, ClientCause.INCONCLUSIVE}


@pytest.mark.parametrize("listed", [*Cause, *ClientCause])
def test_a_cause_is_a_sentence(listed: Explained) -> None:
    sentence = listed.says.format(n="512 bytes", media="text/plain")
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert "{" not in sentence


@pytest.mark.parametrize("listed", [*Cause, *ClientCause, *Unclear, *Doubt])
def test_a_remedy_is_there_in_lines_that_can_be_pasted(listed: Explained) -> None:
    assert bool(listed.remedy.strip()) is (listed not in WITHOUT_REMEDY)
    assert all(line.isprintable() and len(line) <= 400 for line in listed.remedy.splitlines())
    assert "@" not in {line[:1] for line in listed.remedy.splitlines()}


@pytest.mark.parametrize("listed", [*Unclear, *Doubt])
def test_what_a_doubt_means_is_whole_sentences(listed: Explained) -> None:
    assert listed.remedy.endswith(".")
    assert "\n" not in listed.remedy


@pytest.mark.parametrize(
    ("name", "listed", "shared"),
    [
        ("causes", [*Cause], {"parts", "to-try"}),
        ("client_causes", [*ClientCause, *Unclear], set()),
        ("doubts", [*Doubt], set()),
    ],
)
def test_each_text_has_its_member(name: str, listed: list[Explained], shared: set[str]) -> None:
    assert table(name).keys() == {one.value for one in listed} | shared

"""What a terminal shows of the platforms' promises, however narrow or plain it is."""

from __future__ import annotations

import re

import pytest

from kit.proof.contract import Clause
from kit.report.cells import cells
from kit.report.promises import limits, promise, promises
from kit.report.style import Style
from kit.targets import UNSOURCED, get, in_short, load_targets

TARGETS = list(load_targets().values())
ESCAPE = re.compile(r"\x1b\[\d+m")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("all_claims", [False, True])
def test_text_fits_and_an_address_stays_in_one_piece(width: int, all_claims: bool) -> None:
    lines = promises(TARGETS, all_claims=all_claims, style=Style(width=width)).splitlines()
    sources = {f"    [{claim.certainty}] {claim.source}" for target in TARGETS for claim in target.claims}
    head = lines.index("")  # the table keeps its columns
    assert sources & set(lines)
    assert all(cells(line) <= width for line in lines[head:] if line not in sources)


def test_colour_changes_no_word() -> None:
    plain = promises(TARGETS, all_claims=True, style=Style(width=80))
    coloured = promises(TARGETS, all_claims=True, style=Style(width=80, colour=True))
    assert "\x1b" not in plain
    assert coloured != plain
    assert ESCAPE.sub("", coloured) == plain


def test_a_terminal_without_unicode_is_not_sent_any() -> None:
    promises(TARGETS, all_claims=True, style=Style(encoding="ascii")).encode("ascii")


def test_only_the_letters_that_occur_are_explained() -> None:
    shown = promises([get("run")], all_claims=False, style=Style())
    assert "[A] a current page" in shown
    assert "[-] no source found" in shown
    assert "[M]" not in shown


def test_a_promise_is_said_in_plain_words() -> None:
    assert promise(get("flex"), "on") == "streamed"
    assert promise(get("flex"), "off") == "buffered in blocks of 64 KiB"
    assert promise(get("standard"), "on") == "buffered whole"


def test_limits_are_one_sentence_each() -> None:
    assert limits(get("run")) == (
        "A response may have 32 MiB, a chunked one any size, and take 5 min. "
        "Without an open request an instance has little CPU or none. From SIGTERM to SIGKILL: 10 s."
    )
    assert limits(get("gke")) == (
        "A response may be of any size and take 30 s (5 min as the kit deploys it). "
        "From SIGTERM to SIGKILL: 60 s."
    )


def test_each_clause_of_the_contract_has_what_is_documented_or_that_nothing_is() -> None:
    assert "80 an instance" in promises([get("run")], all_claims=False)
    for target in TARGETS:
        for clause in Clause:
            claims = target.documented(clause)
            assert claims, (target.name, clause)
            said = in_short(claims)
            assert clause is Clause.DELIVERED or said, (target.name, clause)
            assert (said == UNSOURCED) == all(claim.certainty == "-" for claim in claims)

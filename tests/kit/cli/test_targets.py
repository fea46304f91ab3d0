"""`kit targets` says what is promised, by whom, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.targets import load_targets

if TYPE_CHECKING:
    from tests.kit.cli.conftest import Invoke

TARGETS = load_targets()


def test_each_target_has_a_row_with_its_promise_in_plain_words(invoke: Invoke) -> None:
    ended = invoke("targets")
    assert (ended.status, ended.err) == (0, "")
    head, *rows = (line.split("  ") for line in ended.out.splitlines()[:4])
    cells = [[cell.strip() for cell in row if cell.strip()] for row in (head, *rows)]
    assert cells == [
        ["target", "header sent", "header not sent", "platform"],
        ["standard", "buffered whole", "buffered whole", "App Engine Standard"],
        ["flex", "streamed", "buffered in blocks of 64 KiB", "App Engine Flexible"],
        ["run", "streamed", "streamed", "Cloud Run"],
    ]


def test_limits_are_told(invoke: Invoke) -> None:
    out = " ".join(invoke("targets").out.split())
    assert "A response may have 32 MiB and take 10 min. From SIGTERM to SIGKILL: 2 s." in out
    assert "A response may be of any size and take 1 h. From SIGTERM to SIGKILL: 30 s." in out
    assert "A response may have 32 MiB, a chunked one any size, and take 5 min." in out


def test_a_promise_stands_beside_its_source_and_how_sure_it_is(invoke: Invoke) -> None:
    out = invoke("targets").out
    claim = TARGETS["flex"].claims[0]
    assert f"· {claim.text}\n    [A] {claim.source}\n" in out
    assert "[A] a current page" in out


def test_what_is_not_certain_is_said_aloud(invoke: Invoke) -> None:
    out = " ".join(invoke("targets").out.split())
    assert "had no effect. (documented, not observed) [C]" in out
    assert "needed or obeyed. (no source found) [-]" in out


def test_a_target_that_is_named_is_told_with_every_claim_and_quotation(invoke: Invoke) -> None:
    out = " ".join(invoke("targets", "standard").out.split())
    for claim in TARGETS["standard"].claims:
        assert claim.text in out
        assert claim.quote is None or " ".join(claim.quote.split()) in out
    assert "Cloud Run" not in out


def test_nothing_is_coloured_off_a_terminal(invoke: Invoke) -> None:
    assert "\x1b" not in invoke("targets").out


def test_programs_get_all_of_it(invoke: Invoke) -> None:
    ended = invoke("targets", "--json")
    assert (ended.status, ended.err) == (0, "")
    assert [target["target"] for target in ended.data["targets"]] == list(TARGETS)
    flex = ended.data["targets"][1]
    assert flex["expected"] == {"on": "incremental", "off": "byte-limited"}
    assert flex["in_words"] == {"on": "streamed", "off": "buffered in blocks of 64 KiB"}
    assert flex["front"]["block_bytes"] == 65_536
    assert flex["front"]["client_leaves"] == "unknown"
    assert flex["front"]["idle"] == "runs"
    assert len(flex["claims"]) == len(TARGETS["flex"].claims)
    assert {"about", "text", "quote", "source", "short", "certainty", "caveat"} == set(flex["claims"][0])

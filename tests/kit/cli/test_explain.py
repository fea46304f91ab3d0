from __future__ import annotations

from tests.kit.cli.conftest import Invoke


def test_a_cause_is_explained_under_fixed_headings(invoke: Invoke) -> None:
    ended = invoke("explain", "nginx-buffers")
    assert (ended.status, ended.err) == (0, "")
    assert "What is seen\n" in ended.out
    assert "      proxy_buffering off;\n" in ended.out


def test_a_code_of_two_lists_has_both_pages(invoke: Invoke) -> None:
    assert [page["kind"] for page in invoke("explain", "replayed", "--json").data] == ["cause", "doubt"]


def test_without_a_code_all_are_listed(invoke: Invoke) -> None:
    assert "  tls-failed " in invoke("explain").out
    listed = invoke("explain", "--json").data
    assert {page["kind"] for page in listed} == {"cause", "client", "doubt", "error"}


def test_a_code_that_is_nearly_one_is_suggested(invoke: Invoke) -> None:
    ended = invoke("explain", "nginx-bufers")
    assert (ended.status, ended.out) == (2, "")
    assert "Did you mean 'nginx-buffers'?" in ended.err
    assert "kit explain lists them all." in invoke("explain", "???").err


def test_a_code_is_found_as_it_is_written_elsewhere(invoke: Invoke) -> None:
    assert invoke("explain", "TLS_FAILED").out.startswith("tls-failed (error)")

"""Whichever report a reader opens, it tells every attempt: a retry hides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kit.proof.lane import Comparison, Lane
from kit.report.html import html
from kit.report.junit import junit
from kit.report.markdown import markdown
from kit.report.table import table
from kit.report.terminal import probe_text
from kit.targets import Target

ATTEMPTS = ("could not be measured (unreachable)", "inconclusive (slow-link, cold-start)")


def test_each_format_tells_every_attempt_of_a_lane_that_was_measured_again(
    comparison: Comparison, retried: Lane, targets: Mapping[str, Target]
) -> None:
    once, again = comparison, replace(comparison, lanes=(retried,))
    for report in (html, junit, markdown, table):
        told = " ".join(report(again, targets).split())
        assert all(attempt in told for attempt in ATTEMPTS), report.__name__
        assert "attempt_" not in report(once, targets)
        assert "since what came before decided nothing" not in report(once, targets)
    told = " ".join(probe_text(retried).split())
    assert all(attempt in told for attempt in ATTEMPTS)

"""Who hides from the service that its client left, from what was seen when a client did. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from math import inf

from kit.language import join, text
from kit.proof.cancelled import Departure, Outcome, judge, worst_of
from kit.proof.causes import APART, Cause, Certainty, NamedCause
from kit.proof.contract import ClauseFinding
from kit.proof.fingerprints import Hop


def stops(finding: ClauseFinding | None) -> bool | None:
    """Whether an origin notices by itself that its client left; None where that is not known."""
    if finding is None or finding.sure == "unknown":
        return None
    return all(figure.most < inf for figure in finding.figures)


def hidden_by(
    departures: Sequence[Departure],
    finding: ClauseFinding,
    *,
    direct: ClauseFinding | None = None,
    other: ClauseFinding | None = None,
    other_http: str = "",
    hops: Collection[Hop] = (),
) -> tuple[NamedCause, ...]:
    """What hides it, the likeliest first; none where the origin notices by itself, or where nothing is known.

    Args:
        departures: what became of the streams that were left.
        finding: what they show.
        direct: what was found when the service was asked directly; None where it was not.
        other: what was found over the other version of HTTP; None where it was not asked.
        other_http: that version: "HTTP/1.1".
        hops: who the response's headers hint at.
    """
    apps = [one for one in departures if one.app]
    ways = [one for one in departures if not one.app]
    if worst_of(apps) is Outcome.GOES_ON:
        sure: Certainty = "certain" if judge(apps).sure == "proved" else "likely"
        because = text("its answer was left: {says}", says=judge(apps).says)
        if works := dict.fromkeys(work for one in apps for work in one.works):
            because += text("; at work yet: {works}", works=join(", ", works))
        own_app = NamedCause(Cause.CANCEL_APP, sure, because, holds=False)
        return (
            own_app,
            *hidden_by(ways, judge(ways), direct=direct, other=other, other_http=other_http, hops=hops),
        )
    if stops(finding) is not False:
        return ()
    cause = _at_hop(ways)
    because = text("a client that leaves: {says}", says=finding.says)
    if other is not None and stops(other):
        because += text("; over {other_http}: {says}", other_http=other_http, says=other.says)
    if direct is not None:
        because += text("; asked directly: {says}", says=direct.says)
    one = NamedCause(cause, "likely", because, holds=False)
    own = replace(one, cause=Cause.CANCEL_BY_WRITES)
    writes = cause is Cause.CANCEL_IGNORED
    match stops(direct):
        case True:
            proved = finding.sure == "proved" and direct is not None and direct.sure == "proved"
            where = text("asked directly, the service notices by itself: it is a hop between there and here")
            return (replace(one, certainty="certain" if proved else "likely", where=where),)
        case False:
            where = text("asked directly, it is the same: it is the service's own server, or a hop there")
            return (replace(own if writes else one, where=where),)
        case _ if not writes:
            return (replace(one, apart=APART),)
    sure = "likely" if any(hop.name == "nginx" for hop in hops) else "possible"
    return replace(one, certainty=sure, apart=APART), replace(own, certainty="possible", apart=APART)


def _at_hop(departures: Sequence[Departure]) -> Cause:
    """Which of a hop's it is, by what was seen."""
    later = worst_of(one for one in departures if not one.early)
    if later is Outcome.STOPS:
        return Cause.CANCEL_EARLY
    if worst_of(departures) is Outcome.AT_EVENT:
        return Cause.CANCEL_IGNORED
    held = any(one.held and one.outcome is Outcome.GOES_ON for one in departures)
    return Cause.CANCEL_COLLECTED if held else Cause.CANCEL_LOST

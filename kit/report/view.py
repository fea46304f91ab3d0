"""Lanes as a reader sees them: words and figures, made once for every format, none of them escaped. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from kit.language import join, text
from kit.loopback import is_loopback
from kit.proof.answer import watched
from kit.proof.contract import Clause
from kit.proof.doubts import Doubt
from kit.proof.exchange import Response
from kit.proof.lane import (
    Attempt,
    Client,
    Comparison,
    Lane,
    LaneError,
    LaneState,
    Mark,
    delivered,
    state,
    worst,
)
from kit.proof.looks import Watched
from kit.proof.timeline import Timeline
from kit.proof.verdict import Method, Shape, Verdict, in_words
from kit.report.advice import advice, advised, remark
from kit.report.answer import answer
from kit.report.clause import ClauseView, clause_view
from kit.report.words import HEADER, METHODS, NONE, REHEARSAL, duration, handed_out, place
from kit.targets import Claim, Target, in_short

Kind = Literal["on", "off", "polling"]

# The verdict on an answer that was asked for in pieces, where nothing is streamed or buffered.
_IN_PIECES = {
    Verdict.INCREMENTAL: text("arrived as written"),
    Verdict.TIME_LIMITED: text("pieces held"),
    Verdict.WHOLE_MESSAGE: text("all at the end"),
}
_CLIENTS: dict[Client, str] = {
    "browser": text("browsers: compression"),
    "plain": text("clients that accept no compression"),
}
_UNASKED = LaneState.INCONCLUSIVE  # what a limit comes to whose clause was not asked
# They qualify figures, of which a lane that could not be measured has none.
_ABOUT_FIGURES = frozenset(
    {
        Doubt.ANSWER_IN_CLUMPS,
        Doubt.ANSWER_NOT_CHECKED,
        Doubt.APP_BUNCHED,
        Doubt.ARRIVALS_ALONE,
        Doubt.CLOCKS_NOT_ALIGNED,
        Doubt.END_UNMARKED,
        Doubt.LENGTHS_ALONE,
        Doubt.STILL_RUNNING,
        Doubt.TOO_SHORT,
    }
)


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane.

    Attributes:
        target, title: its name, and its platform's title (the name again without a target).
        kind, name: how it was asked ("on", "off", "polling"), and what to call it ("flex on").
        as_is: whether the stream's header was left to the service.
        url, address: without credentials; the second without its query too, to be handed out.
        state, delivered: how it came out, and how all of it did but the clauses that were asked.
        as_expected: how its answer did; None where nothing was expected of that.
        mark: how its answer came.
        word, verdict: the verdict as a program and as a person would say it.
        expected: a person's words; None where nothing was expected.
        documented: whether what was expected is what the platform documents.
        shape, block_bytes, hold_ms: how it is held; None for what does not apply.
        codes: what a program would say: verdict, expected, shape, hold_ms, method; empty for none.
        error: why it could not be measured.
        advice, remark: what to do, and what else to know so as not to misread the verdict; sentences.
        attempts: what came of each measurement; empty for a lane that was measured once.
        first_byte, first_event, duration, hold: times in words, a dash for none.
        seen_from: the least hold that could have been seen, where a longer one was.
        method: how it was measured, in words.
        head: what is known of its response's head, in a few words; empty for nothing.
        asked: whether the header was asked for or is there, a sentence; None where that is not known.
        fate, looks: what became of the answer (empty for nothing), and how it arrived.
        grounds: the claims that the expectation rests on.
        clauses: its contract's that were asked, and beside them those that its platform documents.
    """

    target: str
    title: str
    kind: Kind
    name: str
    as_is: bool
    url: str
    address: str
    state: LaneState
    delivered: LaneState
    mark: Mark
    as_expected: bool | None
    word: Verdict
    verdict: str
    expected: str | None
    documented: bool
    shape: Shape | None
    block_bytes: int | None
    hold_ms: float | None
    codes: Mapping[str, str]
    error: LaneError | None
    advice: str | None
    remark: str | None
    attempts: tuple[str, ...]
    first_byte: str
    first_event: str
    duration: str
    hold: str
    seen_from: str | None
    method: str
    head: str
    asked: str | None
    fate: str
    looks: Watched
    evidence: tuple[str, ...]
    doubts: tuple[Doubt, ...]
    grounds: tuple[Claim, ...]
    timeline: Timeline
    clauses: tuple[ClauseView, ...]

    @property
    def decided(self) -> bool:
        """Whether there is a verdict on the answer itself."""
        return self.word is not Verdict.INCONCLUSIVE and not self.fate

    @property
    def outcome(self) -> str:
        """The verdict, and each clause that did not keep its limits."""
        return join("; ", (self.verdict, *self.against))

    @property
    def headline(self) -> str:
        """The verdict, beside what was expected, and each clause that did not keep its limits."""
        return join("; ", (self.delivery, *self.against))

    @property
    def delivery(self) -> str:
        """The verdict, beside what was expected."""
        if self.expected is None:
            return self.verdict
        return text("{verdict}, {kept}", verdict=self.verdict, kept=self.kept)

    @property
    def kept(self) -> str:
        """Whether its answer came as documented, or else as expected, in words; empty where neither was."""
        if self.expected is None:
            return ""
        if self.as_expected:
            return text("as documented") if self.documented else text("as expected")
        if self.delivered is LaneState.NOT_AS_EXPECTED:
            wrong = text("not as documented ({expected})")
            wrong = wrong if self.documented else text("not as expected ({expected})")
        else:
            wrong = text("documented: {expected}") if self.documented else text("expected: {expected}")
        return wrong.format(expected=self.expected)

    def clause(self, clause: Clause) -> ClauseView | None:
        """What there is to say of one clause but delivery; None for nothing."""
        return next((one for one in self.clauses if one.clause is clause), None)

    @property
    def amiss(self) -> bool:
        """Whether something was expected of it, and it is not so or not decided."""
        return self.state is not LaneState.OK and bool(self.kept or self.against)

    @property
    def all_doubts(self) -> tuple[Doubt, ...]:
        """Its own, then those of its clauses."""
        return (*self.doubts, *(doubt for one in self.clauses for doubt in one.doubts))

    @property
    def against(self) -> tuple[str, ...]:
        """Each clause that is not proved to keep its limits, and how it is."""
        return tuple(
            text("{name}: {headline}", name=one.name, headline=one.headline)
            for one in self.clauses
            if one.state not in (None, LaneState.OK)
        )

    @property
    def again(self) -> str | None:
        """How often it was measured and what came of it each time, a sentence; None for only once."""
        if not self.attempts:
            return None
        each = join(
            "; ",
            (text("{at}. {attempt}", at=at, attempt=attempt) for at, attempt in enumerate(self.attempts, 1)),
        )
        return text(
            "Measured {attempts} times, since what came before decided nothing: {each}.",
            attempts=len(self.attempts),
            each=each,
        )


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Lanes side by side.

    Attributes:
        lanes: in their order.
        clauses: of the contract, those of which there is something to say, delivery first; empty where none
            was asked.
        state: how the whole came out.
        answer: what each service does with the answer, a sentence each; empty without lanes.
        tally: how many lanes came as documented or expected; empty where nothing was.
        environment, where: where it was measured, in a word, and a sentence on what that is worth.
        measured_at, moment: when, in ISO 8601 and for people.
        versions: of the kit and of its Python.
        asked: the prompt, where it was asked; else each request, as in "POST /chat".
        prompted: whether it is the prompt.
        methods: each that a lane was measured by, the strongest first, in words.
        targets: those that were measured, in the order of their names' list.
        in_short: what each of these targets is documented to do, a sentence; None for fewer than two
            were measured.
    """

    lanes: tuple[LaneView, ...]
    clauses: tuple[Clause, ...]
    state: LaneState
    answer: tuple[str, ...]
    tally: str
    environment: str
    where: str
    measured_at: str
    moment: str
    versions: str
    asked: str
    prompted: bool
    methods: tuple[str, ...]
    targets: tuple[Target, ...]
    in_short: str | None

    @property
    def against(self) -> tuple[str, ...]:
        """Each lane that did not come as documented or expected, or is not decided, and how it came."""
        return tuple(
            text("{name}: {headline}", name=one.name, headline=one.headline)
            for one in self.lanes
            if one.amiss
        )

    @property
    def worst(self) -> Verdict:
        """Of all lanes' verdicts."""
        verdicts = [lane.word for lane in self.lanes] or [Verdict.INCONCLUSIVE]
        return max(verdicts, key=tuple(Verdict).index)


def view(comparison: Comparison, targets: Mapping[str, Target]) -> ComparisonView:
    """A whole comparison; `targets` by name, those that there are."""
    rehearsal = _is_rehearsal(comparison)
    emulated = rehearsal or comparison.environment == "lab"
    lanes = tuple(
        replace(lane_view(lane, targets.get(lane.target), emulated=emulated), advice=todo)
        for lane, todo in zip(comparison.lanes, advised(comparison.lanes, targets), strict=True)
    )
    names = {lane.target for lane in lanes}
    methods = {lane.method for lane in comparison.lanes if lane.error is None}
    python = ".".join(map(str, sys.version_info[:3]))
    clauses = [target.in_short for name, target in targets.items() if name in names and target.in_short]
    seen = {one.clause for lane in lanes for one in lane.clauses}
    # A page asks the prompt itself, and an older kit's recording does not say.
    prompted = any(lane.request is None or lane.request.prompted for lane in comparison.lanes)
    return ComparisonView(
        lanes=lanes,
        clauses=tuple(one for one in Clause if one in seen or (seen and one is Clause.DELIVERED)),
        state=comparison.state,
        answer=answer(lanes),
        tally=_tally(lanes),
        environment="rehearsal" if rehearsal else comparison.environment,
        where=where(comparison),
        measured_at=comparison.measured_at,
        moment=moment(comparison),
        versions=f"kit {comparison.kit_version}, Python {python}",
        asked=comparison.prompt if prompted else _requests(comparison.lanes),
        prompted=prompted,
        methods=tuple(METHODS[method] for method in Method if method in methods),
        targets=tuple(target for name, target in targets.items() if name in names),
        in_short=text("{clauses}.", clauses=join("; ", clauses)) if len(clauses) > 1 else None,
    )


def lane_view(lane: Lane, target: Target | None = None, *, emulated: bool = False) -> LaneView:
    """One lane.

    Args:
        lane: it.
        target: the one that it measures, if it is one of the kit's.
        emulated: whether its front is the lab's.
    """
    line, error, hold, floor = lane.timeline, lane.error, lane.hold_ms, lane.hold_floor_ms
    kind: Kind = lane.header if lane.delivery == "stream" else "polling"
    as_is = lane.as_is and lane.delivery == "stream"
    expected = lane.expected or lane.at_most
    asked = {finding.clause for finding in lane.clauses}
    return LaneView(
        target=lane.target,
        title=lane.target if target is None else target.title,
        kind=kind,
        name=lane.target if as_is else f"{lane.target} {kind}",
        as_is=as_is,
        url=place(lane.url),
        address=handed_out(lane.url),
        state=state(lane),
        delivered=worst(delivered(lane), *(_UNASKED for one in lane.limits if one.term.clause not in asked)),
        mark=lane.mark,
        as_expected=lane.delivered_as_expected,
        word=lane.verdict,
        verdict=_verdict(lane),
        expected=_expected(lane, target),
        documented=target is not None
        and lane.delivery == "stream"
        and lane.expected is target.expect[lane.header],
        shape=lane.shape,
        block_bytes=lane.block_bytes,
        hold_ms=hold,
        codes={
            "verdict": str(lane.verdict),
            "expected": str(expected or ""),
            "shape": str(lane.shape or ""),
            "hold_ms": "" if hold is None else f"{hold:.1f}",
            "method": str(lane.method) if error is None else "",
        },
        error=error,
        advice=advice(lane, target),
        remark=remark(lane),
        attempts=tuple(map(_attempt, lane.attempts)) if lane.earlier else (),
        first_byte=duration(line.ttfb_ms),
        first_event=duration(line.first_event_ms),
        duration=duration(line.duration_ms),
        hold=_hold(lane),
        seen_from=duration(floor) if floor is not None and (hold or 0) > floor else None,
        method=METHODS[lane.method],
        head=_head(lane.response),
        asked=_asked(lane),
        fate=lane.fate,
        looks=watched(line),
        evidence=lane.evidence,
        doubts=tuple(doubt for doubt in lane.doubts if error is None or doubt not in _ABOUT_FIGURES),
        grounds=_grounds(lane, target),
        timeline=line,
        clauses=tuple(_clauses(lane, target, emulated=emulated)),
    )


def by_doubt(lanes: Iterable[LaneView]) -> dict[Doubt, list[str]]:
    """Each doubt once, with the names of the lanes that it is about."""
    found = dict[Doubt, list[str]]()
    for lane in lanes:
        for doubt in lane.all_doubts:
            found.setdefault(doubt, []).append(lane.name)
    return found


def where(comparison: Comparison) -> str:
    """Where it was measured, and what that is worth."""
    if _is_rehearsal(comparison):
        return REHEARSAL
    match comparison.environment:
        case "lab":
            return text(
                "The lab's front ends are emulated from documentation, not observed on Google's cloud."
            )
        case "cloud":
            return text("Measured on deployed services, through the platforms' own front ends.")
        case "url":
            return text("Measured at the URLs given, through whatever lies between.")


def moment(comparison: Comparison) -> str:
    """When it was measured, for people."""
    return comparison.measured_at.replace("T", " ").replace("Z", " UTC")


def rehearsed(lanes: Iterable[Lane]) -> bool:
    """Whether what passes for the cloud is on this machine, where no platform of Google's can be."""
    return any(_here(lane.url) for lane in lanes)


def _is_rehearsal(comparison: Comparison) -> bool:
    return comparison.environment == "cloud" and rehearsed(comparison.lanes)


def _here(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def _requests(lanes: Iterable[Lane]) -> str:
    """What was asked of the lanes, each once: "GET /chat, POST /search"."""
    asked = (lane.request for lane in lanes if lane.request is not None)
    paths = ((one.method, one.url.partition("://")[2].partition("/")[2]) for one in asked)
    return ", ".join(dict.fromkeys(f"{method} /{path}" for method, path in paths))


def _tally(lanes: tuple[LaneView, ...]) -> str:
    judged = [lane for lane in lanes if lane.expected is not None]
    if not judged:
        return ""
    kept = sum(lane.state is LaneState.OK for lane in judged)
    # That pieces pass is what the kit promises of itself: no platform's documentation speaks of them.
    documented = all(lane.documented for lane in judged)
    said = text("{kept} of {count} as documented") if documented else text("{kept} of {count} as expected")
    return said.format(kept=kept, count=len(judged))


def _verdict(lane: Lane) -> str:
    if lane.error is not None:
        return text("could not be measured")
    if lane.delivery == "polling" and lane.verdict in _IN_PIECES:
        return _IN_PIECES[lane.verdict]
    words = in_words(lane.verdict, lane.shape, lane.block_bytes, lane.hold_ms)
    if lane.only_for is not None:
        whom = _CLIENTS[lane.only_for]
        words = (
            text("{words} for {whom}", words=words, whom=whom)
            if lane.verdict is Verdict.REFUSED
            else text("held for {whom} ({words})", whom=whom, words=words)
        )
    looked = lane.timeline.watched
    if lane.fate:
        held = lane.verdict is Verdict.INCONCLUSIVE and looked is not None and looked.held
        seen = looked.but if held and looked is not None else ""
        if seen:
            return text("{words}{seen}; the answer {fate}", words=words, seen=seen, fate=lane.fate)
        return text("{words}, but the answer {fate}", words=words, fate=lane.fate)
    # What something between the browser and the page's server held looks like nothing of the lane's own.
    if lane.verdict is not Verdict.INCONCLUSIVE or looked is None or Doubt.OWN_PATH_HELD in lane.doubts:
        return words
    if Doubt.APP_BUNCHED in lane.doubts and lane.method is Method.LOCK_STEP:
        return text(
            "{words}: the way here streams, and the app itself sent the answer in a bunch", words=words
        )
    if Doubt.ANSWER_IN_CLUMPS in lane.doubts and lane.method in (Method.LOCK_STEP, Method.PAUSE):
        return text(
            "{words}: the way here streams, {all_the_same}", words=words, all_the_same=looked.all_the_same
        )
    if lane.at_most is not None and looked.collected is not None:
        return looked.collected
    return text("{words}{but}", words=words, but=looked.but)


def _attempt(attempt: Attempt) -> str:
    if attempt.error is not None:
        return text("could not be measured ({error})", error=attempt.error)
    found = in_words(attempt.verdict, None, None, None)
    undecided = attempt.verdict is Verdict.INCONCLUSIVE and attempt.doubts
    return text("{found} ({doubts})", found=found, doubts=join(", ", attempt.doubts)) if undecided else found


def _expected(lane: Lane, target: Target | None) -> str | None:
    """With the block's size where the target's documentation names one."""
    if lane.at_most is not None:
        return str(replace(lane.expectation, limits=()))
    if lane.expected is None:
        return None
    if lane.delivery == "polling" and lane.expected in _IN_PIECES:
        return _IN_PIECES[lane.expected]
    if lane.expected is Verdict.BYTE_LIMITED and target is not None and target.front.hold == "blocks":
        return in_words(lane.expected, Shape.BLOCKS, target.front.block_bytes, None)
    return in_words(lane.expected, None, None, None)


def _clauses(lane: Lane, target: Target | None, *, emulated: bool) -> Iterator[ClauseView]:
    """Those that were asked; beside them the others of which its platform says something, or nothing."""
    found = {finding.clause: finding for finding in lane.clauses}
    for clause in Clause:
        claims = () if target is None or not found else target.documented(clause)
        if clause in found:
            yield clause_view(found[clause], lane, claims, emulated=emulated)
        elif claims and clause is not Clause.DELIVERED:
            yield ClauseView(clause, clause.words, documented=in_short(claims), claims=claims)


def _hold(lane: Lane) -> str:
    """How much later than it should have an event arrived; never below what could have been seen."""
    if lane.error is not None:
        return NONE
    if lane.hold_ms is None:
        return text("to the end") if lane.verdict is Verdict.WHOLE_MESSAGE else NONE
    if lane.hold_floor_ms is not None and lane.hold_ms <= lane.hold_floor_ms:
        return text("< {floor}", floor=duration(lane.hold_floor_ms))
    return duration(lane.hold_ms)


def _head(response: Response | None) -> str:
    """As in 200, text/event-stream, gzip, HTTP/1.1, nginx/1.22.1."""
    if response is None:
        return ""
    length = None if response.content_length is None else f"{response.content_length:,} bytes"
    seen = (
        str(response.status),
        response.content_type,
        length,
        response.content_encoding,
        response.http_version,
        response.server,
    )
    return ", ".join(filter(None, seen))


def _asked(lane: Lane) -> str | None:
    if Doubt.NO_PROOF in lane.doubts:  # it was asked for nothing but its answer
        return None
    on = lane.header == "on"
    if lane.as_is and on:
        return text("the service sends {header}", header=HEADER)
    if lane.as_is:
        return text("the service does not send, as far as can be seen, {header}", header=HEADER)
    if on:
        return text("the service was asked to send {header}", header=HEADER)
    return text("the service was asked not to send {header}", header=HEADER)


def _grounds(lane: Lane, target: Target | None) -> tuple[Claim, ...]:
    """Nothing by polling, of which no documentation speaks."""
    if target is None or lane.delivery == "polling" or lane.expected is not target.expect[lane.header]:
        return ()
    topics = {"streaming"}
    topics |= {"header"} if lane.header == "on" else set()
    topics |= {"deadline"} if Doubt.CUT_AT_DEADLINE in lane.doubts else set()
    return tuple(claim for claim in target.claims if claim.about in topics)

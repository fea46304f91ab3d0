"""A URL that speaks no proof: it is asked again, one thing changed a time, as often as that is allowed."""

from __future__ import annotations

from dataclasses import replace

from kit.flows.examination import Examination
from kit.probe.client import Ask
from kit.probe.faults import shown
from kit.probe.lane import LaneProbe
from kit.probe.lengths import TwoLengths, two_lengths
from kit.probe.looking import AnswerLooks, seen_of_answer
from kit.proof import causes, lengths
from kit.proof.causes import Cause, Named
from kit.proof.conditions import Change, Conditions, request_in_words
from kit.proof.diagnosis import Diagnosis
from kit.proof.experiments import Hurdle, Look, Row, Traced
from kit.proof.glance import Seen, State
from kit.proof.timeline import Timeline
from kit.proof.verdict import Finding, Method, Verdict

_STATES = {
    lengths.Looks.HELD_WHOLE: State.HELD,
    lengths.Looks.NOT_HELD_WHOLE: State.STREAMS,
    lengths.Looks.UNKNOWN: State.UNDECIDED,
}


class ByAnswers(Examination):
    """Examines by watching answers arrive, which never proves anything."""

    async def examine(self) -> Diagnosis:
        """The diagnosis. Raises KitError: there was no answer."""
        probe, spec = self.probe, self.spec
        more = spec.max_requests - 1 if probe.asked.method == "GET" or spec.repeat_ok else 0
        two = two_lengths(probe.asked)
        self.announce(self._price(more, two))
        await probe.answer()
        if probe.error is not None:
            raise probe.error
        at, seen = self.conditions(), seen_of_answer(probe)
        self.rows.append(Row(Look(at, f"as asked: {request_in_words(at)}"), seen))
        if seen.streams:
            return self.told(seen, (), None, probe.by_answer.method)
        if more == 0:
            self.limits.append(self._asked_once())
        asking = replace(probe.spec, ask=probe.asked, as_it_is=True)
        kept = 2 if two is not None and more >= 2 else 0
        looks = AnswerLooks(asking, secure=self.secure, most=more - kept, direct_url=spec.direct_url)
        traced = await self._ask_again(looks, at, seen)
        if traced.hurdles or two is None or not kept:
            named = causes.causes(traced) if traced.hurdles else self._suspects(seen, traced)
            return self.told(seen, named, None, probe.by_answer.method, asked=looks.asked)
        compared, finding = await self._two_lengths(two, at)
        # What two lengths tell comes before what one answer looked like.
        seen = compared if compared.state is not State.UNDECIDED else seen
        named = self._suspects(seen, traced)
        method = Method.LENGTHS if finding is not None else probe.by_answer.method
        return self.told(seen, named, None, method, by_answer=finding, asked=looks.asked + 2)

    def _price(self, more: int, two: TwoLengths | None) -> str:
        """What is about to be asked, before it is asked: somebody may pay for it."""
        method, url = self.probe.asked.method, shown(self.spec.ask.url)
        times = f"at most {1 + more} requests" if more else "one request"
        said = f"{url} speaks no proof, so its answers are watched: {times} by {method}"
        if two is None:
            return said
        if more < 2:
            return f"{said}, for an answer as long as the request lets it become"
        return f"{said}, two of them for {two.most_tokens} tokens of output at most together"

    def _asked_once(self) -> str:
        """Why nothing was compared, and what would be."""
        method, freed = self.probe.asked.method, "With a larger --max-requests it is"
        why = "--max-requests allows one request, so it was not sent again."
        if not (method == "GET" or self.spec.repeat_ok):
            why = f"A {method} may cost or change something, so it was not sent again."
            freed = "With --repeat-ok it is"
        return (
            f"{why} {freed}: to the service directly (--direct URL), without compression, over the other "
            "HTTP version, for a short and a long answer of a text generator."
        )

    async def _ask_again(self, looks: AnswerLooks, at: Conditions, seen: Seen) -> Traced:
        """Each change once, one after another: an answer may cost, and its server may be small."""
        saw: dict[Change, Seen] = {}
        for one in sorted(looks.can):
            wanted = Look(one.applied(at), one.words(at))
            if wanted.conditions != at and looks.left > 0:
                self.say(wanted.says)
                saw[one] = await looks.look(wanted)
                self.rows.append(Row(wanted, saw[one]))
        direct = saw.pop(Change.DIRECT, self.spec.known_direct)
        frees = frozenset(one for one, it in saw.items() if it.streams)
        fails = frozenset(one for one, it in saw.items() if it.state is State.HELD)
        hurdles = (Hurdle(frees, fails),) if frees and seen.state is State.HELD else ()
        return Traced(seen, hurdles, direct=direct, rows=tuple(self.rows))

    async def _two_lengths(self, two: TwoLengths, at: Conditions) -> tuple[Seen, Finding | None]:
        """A short answer and a long one: does the beginning wait for the end?"""
        says = f"a short answer ({two.short_tokens} tokens at most) and a long one ({two.long_tokens})"
        self.say(says)
        lines = []
        for ask in (two.short, two.long):
            line, wrong = await self._line(ask)
            if wrong:
                seen = Seen(State.UNDECIDED, wrong, proven=False)
                self.rows.append(Row(Look(at, says), seen))
                return seen, None
            lines.append(line)
        compared = lengths.compare(*lines)
        seen = Seen(_STATES[compared.looks], compared.evidence[-1], proven=False, doubts=compared.doubts)
        self.rows.append(Row(Look(at, says), seen))
        finding = Finding(
            Verdict.INCONCLUSIVE, Method.LENGTHS, doubts=compared.doubts, evidence=compared.evidence
        )
        return seen, finding

    async def _line(self, ask: Ask) -> tuple[Timeline, str]:
        """One more answer's timeline, and what went wrong with it."""
        async with LaneProbe(replace(self.probe.spec, ask=ask, as_it_is=True)) as probe:
            await probe.answer()
            return probe.line, "" if probe.error is None else probe.error.message

    def _suspects(self, seen: Seen, traced: Traced) -> tuple[Named, ...]:
        """Where an answer in lumps may come from, where nothing but its arrival is known."""
        if seen.state is not State.HELD:
            return ()
        because, direct = seen.said, traced.direct
        to_try = causes.to_try(self._fails(traced))
        if direct is not None and direct.streams:
            where = "asked directly, the answer came bit by bit: it is a hop between there and here"
            return (Named(Cause.BUFFERED, "likely", because, where=where, to_try=to_try),)
        if direct is not None and direct.state is State.HELD:
            where = "asked directly, the answer was held as well"
            return (Named(Cause.APP, "likely", because, where=where),)
        apart = "which of the two: ask the service directly as well (--direct URL), or mount service/proof.py"
        return (
            Named(Cause.BUFFERED, "possible", because, apart, to_try=to_try),
            Named(Cause.APP, "possible", because, apart),
        )

    def _fails(self, traced: Traced) -> set[Change]:
        """What is known not to free it: tried, or so already."""
        at = traced.rows[0].look.conditions
        held = {row.look.conditions for row in traced.rows if row.seen.state is State.HELD}
        return {one for one in (Change.HEADER, Change.IDENTITY) if one.applied(at) in held}

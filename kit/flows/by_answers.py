"""A URL that speaks no proof: it is asked again, one thing changed a time, as often as that is allowed."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin

from kit.flows.examination import Examination
from kit.language import text
from kit.probe.experiments import seen_of_answer
from kit.probe.http_errors import shown
from kit.probe.lengths import TwoLengths, two_lengths
from kit.proof import causes, lengths
from kit.proof.answer import watched
from kit.proof.causes import Cause, NamedCause
from kit.proof.conditions import Change, Conditions, request_in_words
from kit.proof.diagnosis import Diagnosis
from kit.proof.experiments import Experiment, Row, Traced
from kit.proof.looks import SMALLEST_BUFFER, Looks
from kit.proof.quick_check import Observation, State
from kit.proof.verdict import Finding, Method


class ByAnswers(Examination):
    """Examines by watching answers arrive, which never proves anything."""

    async def examine(self) -> Diagnosis:
        """The diagnosis. Raises KitError: there was no answer."""
        probe = self.probe
        more, two = self.left, two_lengths(probe.asked)
        self.announce(self._price(more, two))
        await self.answer(urljoin(self.spec.ask.url, "/proof"))
        if probe.error is not None and not self.came_wrong:
            raise probe.error
        at, seen = self.conditions(), seen_of_answer(probe)
        self.rows.append(
            Row(
                Experiment(at, text("as asked: {conditions}", conditions=request_in_words(at))),
                seen,
            )
        )
        await self.look_at_its_end()
        if seen.streams:
            return self.diagnosis(seen, (), None, probe.by_answer.method)
        if more == 0:
            self.limits.append(self.asked_once())
        kept = 2 if two is not None and self.left >= 2 else 0
        traced = await self.ask_again(at, seen, most=self.left - kept)
        if traced.base.streams:
            return self.diagnosis(traced.base, (), None, probe.by_answer.method)
        if traced.factors or two is None or not kept:
            named = causes.causes(traced) if traced.factors else self._suspects(seen, traced)
            return self.diagnosis(seen, named, None, probe.by_answer.method)
        compared, finding = await self._two_lengths(two, at)
        # What two lengths tell comes before what one answer looked like.
        seen = compared if compared.state is not State.UNDECIDED else seen
        named = self._suspects(seen, traced)
        method = Method.LENGTHS if finding is not None else probe.by_answer.method
        return self.diagnosis(seen, named, None, method, by_answer=finding)

    def _price(self, more: int, two: TwoLengths | None) -> str:
        """What is about to be asked, before it is asked: it may cost money."""
        method, url = self.probe.asked.method, shown(self.spec.ask.url)
        times = text("at most {count} requests", count=1 + more) if more else text("one request")
        said = text(
            "{url} speaks no proof, so its answers are watched: {times} by {method}",
            url=url,
            times=times,
            method=method,
        )
        if two is None:
            return said
        if more < 2:
            return text("{said}, for an answer as long as the request lets it become", said=said)
        return text(
            "{said}, two of them for {most_tokens} tokens of output at most together",
            said=said,
            most_tokens=two.most_tokens,
        )

    async def _two_lengths(self, two: TwoLengths, at: Conditions) -> tuple[Observation, Finding | None]:
        """A short answer and a long one: does the beginning wait for the end?"""
        says = text(
            "a short answer ({short_tokens} tokens at most) and a long one ({long_tokens})",
            short_tokens=two.short_tokens,
            long_tokens=two.long_tokens,
        )
        self.say(says)
        lines = []
        for ask in (two.short, two.long):
            line, wrong = await self.line_of(ask)
            if wrong:
                seen = Observation(State.UNDECIDED, wrong, proven=False)
                self.rows.append(Row(Experiment(at, says), seen))
                return seen, None
            lines.append(line)
        compared = lengths.compare(*lines)
        seen = Observation(compared.state, compared.evidence[-1], proven=False, doubts=compared.doubts)
        self.rows.append(Row(Experiment(at, says), seen))
        return seen, compared.finding

    def _suspects(self, seen: Observation, traced: Traced) -> tuple[NamedCause, ...]:
        """Where an answer in lumps may come from, where nothing but its arrival is known."""
        if seen.state is not State.HELD:
            return ()
        because, direct = seen.said, traced.direct
        to_try = causes.to_try(self._fails(traced))
        looked = watched(self.probe.line)
        clumped = looked.looks is Looks.CLUMPED
        service = Cause.BLOCKED if self.starved else Cause.BURSTS if clumped else Cause.APP
        why = self.starved or because
        hop = NamedCause(Cause.BUFFERED, "possible", because, to_try=to_try)
        if clumped and looked.clump_octets < SMALLEST_BUFFER:  # no buffer is so small
            hop = NamedCause(Cause.TIMER, "possible", because)
        if direct is not None and direct.streams:
            where = text("asked directly, the answer came bit by bit: it is a hop between there and here")
            return (replace(hop, certainty="likely", where=where),)
        if direct is not None and direct.state is State.HELD:
            where = text("asked directly, the answer was held as well")
            return (NamedCause(service, "likely", why, where=where),)
        apart = text(
            "which of the two: ask the service directly as well (--direct URL), or mount service/proof.py"
        )
        both = (replace(hop, apart=apart), NamedCause(service, "possible", why, apart))
        return both[::-1] if self.starved else both

    def _fails(self, traced: Traced) -> set[Change]:
        """What is known not to free it: tried, or so already."""
        at = traced.rows[0].experiment.conditions
        held = {row.experiment.conditions for row in traced.rows if row.observation.state is State.HELD}
        fails = {one for one in (Change.HEADER, Change.IDENTITY) if one.applied(at) in held}
        return fails | {Change.EVENT_STREAM} if at.framing == "sse" else fails

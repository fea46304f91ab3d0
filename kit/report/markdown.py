"""The comparison as Markdown, for a comment on a pull request: the table first, the evidence folded away.

GitHub's flavour. Whatever was measured or configured is escaped: it makes no markup, and mentions no account.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from kit.language import join, t, text
from kit.outcome import Outcome
from kit.proof.lane import LaneState, worst
from kit.report.cells import clean, one_line
from kit.report.clause import ClauseView
from kit.report.style import CAME, MARKS
from kit.report.view import ComparisonView, LaneView, by_doubt
from kit.report.words import ENVIRONMENTS, NONE, how_sure, linked
from kit.targets import Claim

_HEADS = ("", text("lane"), text("verdict"), text("expected"), text("first event"), text("hold"))
_RULE = "|---|---|---|---|---:|---:|"

# What GitHub makes a mention, an issue's number or a link of once it is text: no escape undoes it, a space
# of no width does.
_CALLING = re.compile(r"[@#]|(?<=\bGH)-(?=\d)|(?<=:)//|(?<=\bwww)\.", re.IGNORECASE)
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|~&!$]")
_PREVIEW = ("", text("target"), text("what the gate says"), text("where"))
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?/?")
_LEADING = re.compile(r"^([-+=]|\d+(?=[.)](\s|$)))")


def markdown(view: ComparisonView) -> str:
    """The whole comparison. The same comparison gives the same text."""
    todo: dict[str, list[str]] = {}
    for lane in view.lanes:
        if lane.advice is not None:
            todo.setdefault(_prose(lane.advice), []).append(lane.name)
    doubts = {f"`{doubt}` {_text(doubt.remedy)}": names for doubt, names in by_doubt(view.lanes).items()}
    for lane in view.lanes:
        for clause in lane.clauses:
            for line in t(clause.advice).splitlines()[:1]:
                todo.setdefault(f"{_text(clause.name)}: {_prose(line)}", []).append(lane.name)
    counted = [f"**{_text(view.tally)}**"] if view.tally else []
    blocks = [f"### {_text(join(' ', view.answer))}", *counted, _table(view), *_contracts(view)]
    blocks += [*_list(text("What to do"), todo), *_list(text("What to doubt"), doubts)]
    if view.in_short is not None and view.state is not LaneState.OK:
        blocks.append(_prose(view.in_short))
    blocks.append(f"**{_text(ENVIRONMENTS[view.environment])}**: {_text(view.where)}")
    if view.lanes:
        blocks.append(f"<details><summary>{_text(text('Evidence, lane by lane'))}</summary>")
        blocks += [block for lane in view.lanes for block in _evidence(lane)]
        blocks.append("</details>")
    measured = text("Measured {moment} with {versions}.", moment=view.moment, versions=view.versions)
    asked = f" {_text(text('Asked:'))} {_code(view.asked)}" if view.asked else ""
    blocks.append(f"{_text(measured)}{asked}")
    return "\n\n".join(blocks) + "\n"


def preview(name: str, outcomes: Sequence[Outcome], view: ComparisonView) -> str:
    """A pull request's preview: where it is, what the gate says of it, and then the comparison."""
    mark, _ = MARKS[worst(*(one.state for one in outcomes))]
    rows = [_row(map(t, _PREVIEW)), "|---|---|---|---|"]
    for one in outcomes:
        sentence = one.what.partition("\n")[0].removesuffix(f" Without traffic, at {one.version_url}")
        url = one.version_url or ""
        url = f"<{url}>" if _PLAIN_URL.fullmatch(url) else _text(url)
        rows.append(_row((MARKS[one.state][0], _text(one.target), _text(sentence), url)))
    blocks = [f"### {mark} {_text(text('Preview {name}', name=name))}", "\n".join(rows)]
    close = text(
        "It has no traffic, and is never promoted. `kit preview {name} --close` removes it.", name=name
    )
    blocks.append(_prose(close))
    return "\n\n".join([*blocks, *([markdown(view)] if view.lanes else [""])])


def closed(name: str) -> str:
    """The same once the preview is gone."""
    return f"### {_text(text('Preview {name}: removed', name=name))}\n"


def _table(view: ComparisonView) -> str:
    rows = [_row(map(t, _HEADS)), _RULE]
    for lane in view.lanes:
        found = _text(lane.verdict)
        mark, expected = CAME[lane.mark][0], _text(lane.kept)
        expected = expected if lane.state is LaneState.OK else f"**{expected}**"
        rows.append(_row((mark, _text(lane.name), found, expected, t(lane.first_event), _text(lane.hold))))
    return "\n".join(rows)


def _contracts(view: ComparisonView) -> list[str]:
    if not view.clauses:
        return []
    rows = [_row(map(t, (text("contract"), *(clause.words for clause in view.clauses))))]
    rows.append("|---" * (1 + len(view.clauses)) + "|")
    for lane in filter(lambda lane: lane.clauses, view.lanes):
        found = [lane.clause(clause) for clause in view.clauses[1:]]
        said = (NONE if one is None else _marked(one.state, _text(one.cell)) for one in found)
        rows.append(_row((_text(lane.name), _text(lane.verdict), *said)))
    return ["\n".join(rows)]


def _marked(state: LaneState | None, said: str) -> str:
    return said if state is None else f"{MARKS[state][0]} {said}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _list(title: str, remedies: Mapping[str, Iterable[str]]) -> list[str]:
    lines = [f"- {', '.join(map(_text, names))}: {remedy}" for remedy, names in remedies.items()]
    return [f"**{_text(title)}**", "\n".join(lines)] if lines else []


def _evidence(lane: LaneView) -> list[str]:
    blocks = [
        f"**{_text(lane.name)}**: {_text(text('{verdict}, at', verdict=lane.verdict))} {_code(lane.address)}"
    ]
    if lane.again is not None:
        blocks.append(_text(lane.again))
    if lane.error is not None:
        blocks.append(_text(lane.error.message))
    elif lane.evidence:
        blocks.append(_text(text("Method: {method}.", method=lane.method)))
    if lane.evidence:
        blocks.append("\n".join(f"{at}. {_text(step)}" for at, step in enumerate(lane.evidence, 1)))
    if lane.remark is not None:
        blocks.append(_text(lane.remark))
    blocks += [block for clause in lane.clauses for block in _clause(clause)]
    if lane.grounds:
        blocks.append(_text(text("Documented:")))
        blocks.append("\n".join(map(_claim, lane.grounds)))
    return blocks


def _clause(clause: ClauseView) -> list[str]:
    """What was found of one clause, and what is documented of it."""
    said = _marked(clause.state, _text(clause.headline if clause.says is not None else clause.cell))
    blocks = [f"**{_text(clause.name)}**: {said}"]
    lines = [f"{at}. {_text(step)}" for at, step in enumerate(clause.evidence, 1)]
    lines += map(_claim, clause.claims)
    pasted = [line[4:] for line in t(clause.advice).splitlines() if line.startswith("    ")]
    if lines:
        blocks.append("\n".join(lines))
    return [*blocks, *map(_code, pasted)]


def _claim(claim: Claim) -> str:
    return f"- {_text(claim.text)} {_source(claim.source)} ({_text(how_sure(claim))})"


def _source(source: str) -> str:
    link, rest = linked(source)
    return _text(source) if link is None else f"<{link}>{_escaped(clean(rest))}"


def _prose(sentence: str) -> str:
    """A sentence in which `backticks` mark what is code."""
    pieces = one_line(sentence).split("`")
    if len(pieces) % 2 == 0:
        return _text(sentence)
    return "".join(
        _code(piece) if index % 2 else _escaped(piece) for index, piece in enumerate(pieces)
    ).strip()


def _text(sentence: str) -> str:
    """Text that stands as it is, at the beginning of a line too; a dash for none."""
    return _LEADING.sub(lambda found: _entities(found[0]), _escaped(one_line(sentence).strip())) or NONE


def _escaped(said: str) -> str:
    """Entities and not backslashes, which a bar in a table would need twice."""
    called = _CALLING.sub(lambda found: f"{found[0][0]}\u200b{found[0][1:]}", said)
    return _MARKUP.sub(lambda found: _entities(found[0]), called)


def _entities(characters: str) -> str:
    return "".join(f"&#{ord(character)};" for character in characters)


def _code(said: str) -> str:
    """Text as code, fenced by one backtick more than stand in it; not for a table, where a bar divides."""
    said = clean(said).strip()
    if not said:
        return NONE
    fence = "`" * (1 + max(map(len, re.findall("`+", said)), default=0))
    return f"{fence} {said} {fence}" if "`" in said else f"{fence}{said}{fence}"

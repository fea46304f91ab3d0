"""The comparison as Markdown, for a comment on a pull request: the table first, the evidence folded away.

GitHub's flavour. Whatever was measured or configured is escaped: it makes no markup, and calls nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kit.proof.lane import Comparison, Lane, LaneState, state
from kit.report.cells import clean
from kit.report.lanes import MARKS
from kit.report.watch import LaneKey
from kit.report.words import (
    METHODS,
    NONE,
    THE_THREE,
    advice,
    attempts_words,
    duration,
    environment_name,
    environment_words,
    expected_words,
    grounds,
    handed_out,
    hold_words,
    how_sure,
    lane_name,
    linked,
    moment,
    remark,
    tally,
    three_targets,
    verdict_words,
    versions,
)
from kit.targets import Target

_HEADS = ("", "lane", "verdict", "expected", "first event", "hold")
_RULE = "|---|---|---|---|---:|---:|"

# What GitHub makes a mention, an issue's number or a link of once it is text: no escape undoes it, a space
# of no width does.
_CALLING = re.compile(r"[@#]|(?<=\bGH)-(?=\d)|(?<=:)//|(?<=\bwww)\.", re.IGNORECASE)
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|~&!$]")
_LEADING = re.compile(r"^([-+=]|\d+(?=[.)](\s|$)))")


def markdown(comparison: Comparison, targets: Mapping[str, Target]) -> str:
    """The whole comparison. The same comparison gives the same text."""
    mark, _ = MARKS[comparison.state]
    blocks = [f"### {mark} {_text(tally(comparison, targets))}", _table(comparison, targets)]
    blocks += _todo(comparison, targets)
    blocks += _doubts(comparison)
    if three_targets(comparison):
        blocks.append(_prose(THE_THREE))
    blocks.append(f"**{environment_name(comparison)}**: {_text(environment_words(comparison))}")
    if comparison.lanes:
        blocks.append("<details><summary>Evidence, lane by lane</summary>")
        for lane in comparison.lanes:
            blocks += _evidence(lane, targets.get(lane.target))
        blocks.append("</details>")
    blocks.append(
        f"Measured {_text(moment(comparison))} with {_text(versions(comparison))}. "
        f"Asked: {_code(comparison.prompt)}"
    )
    return "\n\n".join(blocks) + "\n"


def _table(comparison: Comparison, targets: Mapping[str, Target]) -> str:
    rows = [_row(_HEADS), _RULE]
    for lane in comparison.lanes:
        found = _text(verdict_words(lane))
        rows.append(
            _row(
                (
                    MARKS[state(lane)][0],
                    _name(lane),
                    found if state(lane) is LaneState.OK else f"**{found}**",
                    _text(expected_words(lane, targets.get(lane.target))),
                    duration(lane.timeline.first_event_ms),
                    _text(hold_words(lane)),
                )
            )
        )
    return "\n".join(rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _todo(comparison: Comparison, targets: Mapping[str, Target]) -> list[str]:
    """Each remedy once, with the lanes that it is for."""
    remedies: dict[str, list[str]] = {}
    for lane in comparison.lanes:
        said = advice(lane, targets.get(lane.target))
        if said is not None:
            remedies.setdefault(_prose(said), []).append(_name(lane))
    return _list("What to do", remedies)


def _doubts(comparison: Comparison) -> list[str]:
    remedies: dict[str, list[str]] = {}
    for lane in comparison.lanes:
        for doubt in lane.doubts:
            remedies.setdefault(f"`{doubt}` {_text(doubt.remedy)}", []).append(_name(lane))
    return _list("What to doubt", remedies)


def _list(title: str, remedies: Mapping[str, Iterable[str]]) -> list[str]:
    lines = [f"- {', '.join(lanes)}: {said}" for said, lanes in remedies.items()]
    return [f"**{title}**", "\n".join(lines)] if lines else []


def _evidence(lane: Lane, target: Target | None) -> list[str]:
    blocks = [f"**{_name(lane)}**: {_text(verdict_words(lane))}, at {_code(handed_out(lane.url))}"]
    if (again := attempts_words(lane)) is not None:
        blocks.append(_text(again))
    if lane.error is not None:
        blocks.append(_text(lane.error.message))
    elif lane.evidence:
        blocks.append(f"By {_text(METHODS[lane.method])}.")
    if lane.evidence:
        blocks.append("\n".join(f"{at}. {_text(step)}" for at, step in enumerate(lane.evidence, 1)))
    if (said := remark(lane)) is not None:
        blocks.append(_text(said))
    if claims := grounds(lane, target):
        blocks.append("What the promise rests on:")
        blocks.append(
            "\n".join(f"- {_text(one.text)} {_source(one.source)} ({_text(how_sure(one))})" for one in claims)
        )
    return blocks


def _source(source: str) -> str:
    link, rest = linked(source)
    return _text(source) if link is None else f"<{link}>{_escaped(clean(rest))}"


def _name(lane: Lane) -> str:
    return _text(lane_name(LaneKey.of(lane)))


def _prose(text: str) -> str:
    """A sentence in which `backticks` mark what is code."""
    pieces = clean(text).split("`")
    if len(pieces) % 2 == 0:
        return _text(text)
    return "".join(
        _code(piece) if index % 2 else _escaped(piece) for index, piece in enumerate(pieces)
    ).strip()


def _text(text: str) -> str:
    """Text that stands as it is, at the beginning of a line too; a dash for none."""
    return _LEADING.sub(lambda found: _entities(found[0]), _escaped(clean(text).strip())) or NONE


def _escaped(text: str) -> str:
    """Entities and not backslashes, which a bar in a table would need twice."""
    called = _CALLING.sub(lambda found: f"{found[0][0]}\u200b{found[0][1:]}", text)
    return _MARKUP.sub(lambda found: _entities(found[0]), called)


def _entities(characters: str) -> str:
    return "".join(f"&#{ord(character)};" for character in characters)


def _code(text: str) -> str:
    """Text as code, fenced by one backtick more than stand in it; not for a table, where a bar divides."""
    text = clean(text).strip()
    if not text:
        return NONE
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"

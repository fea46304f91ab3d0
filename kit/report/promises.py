"""The platforms' promises, for a terminal: `kit targets`."""

from __future__ import annotations

from collections.abc import Collection

from kit.language import t, text
from kit.proof.contract import Clause
from kit.proof.lane import Arm
from kit.proof.verdict import Shape, Verdict, in_words
from kit.report.cells import cells, hang, pad
from kit.report.style import Style
from kit.report.terminal import columns, shared
from kit.report.words import CERTAINTIES, HEADER, NONE
from kit.targets import Claim, Target, in_short

# Off a terminal the reader's width is not known.
_WIDTH = 100
_HEADS = (text("target"), text("header sent"), text("header not sent"), text("platform"))
_CLAUSES = tuple(clause for clause in Clause if clause is not Clause.DELIVERED)
# What a person wants to know first; the others stand in the target's own page.
_FIRST = ("streaming", "header")


def promises(targets: Collection[Target], *, all_claims: bool, style: Style | None = None) -> str:
    """A table of the promises, then for each target its limits and what the promises rest on.

    Args:
        targets: which, in this order.
        all_claims: whether to tell every claim with its quotation, or only those about streaming.
        style: how to write.
    """
    style = style or Style()
    width = style.width or _WIDTH
    lines = _table(targets, style)
    lines += [
        "",
        *hang(
            "",
            text("The header is {header}, sent by the service with its response.", header=HEADER),
            width,
        ),
    ]
    lines += ["", *_contracts(targets, style, width)]
    shown: list[Claim] = []
    for target in targets:
        claims = [claim for claim in target.claims if all_claims or claim.about in _FIRST]
        shown += claims
        lines += ["", style.paint(target.title, "bold"), *hang("  ", limits(target), width)]
        for claim in claims:
            lines += _claim(claim, width, style, quoted=all_claims)
    letters = [letter for letter in CERTAINTIES if any(claim.certainty == letter for claim in shown)]
    lines += [""]
    for letter in letters:
        lines += hang(f"[{letter}] ", CERTAINTIES[letter], width)
    lines += ["", *hang("", text("Read, not measured: kit probe URL measures yours."), width)]
    if not all_claims:
        lines += hang("", text("Every claim with its quotation: kit targets NAME"), width)
    return style.finish("\n".join(line.rstrip() for line in lines))


def promise(target: Target, arm: Arm) -> str:
    """What the target promises in an arm, as a person would say it."""
    verdict = target.expect[arm]
    in_blocks = verdict is Verdict.BYTE_LIMITED and target.front.hold == "blocks"
    return in_words(verdict, Shape.BLOCKS if in_blocks else None, target.front.block_bytes, None)


def limits(target: Target) -> str:
    """What a response and a request may be at most, and what an idle or stopping instance is given."""
    front = target.front
    if front.response_cap_bytes is None:
        response = text("A response may be of any size and take {time}")
    elif front.cap_spares_chunked:
        response = text("A response may have {size}, a chunked one any size, and take {time}")
    else:
        response = text("A response may have {size} and take {time}")
    size = front.response_cap_bytes and _mebibytes(front.response_cap_bytes)
    said = response.format(size=size, time=_time(front.deadline_s))
    kits_s = target.defaults.get("timeout_s", front.deadline_s)
    if kits_s != front.deadline_s:
        said += text(" ({time} as the kit deploys it)", time=_time(kits_s))
    said = text("{said}.", said=said)
    if front.idle == "frozen":
        said += text(" Without an open request an instance has little CPU or none.")
    return said + text(" From SIGTERM to SIGKILL: {grace_s:g} s.", grace_s=front.shutdown_grace_s)


def _table(targets: Collection[Target], style: Style) -> list[str]:
    rows = [
        (target.name, t(promise(target, "on")), t(promise(target, "off")), target.title) for target in targets
    ]
    heads = tuple(map(t, _HEADS))
    widths = [max(map(cells, column)) for column in zip(heads, *rows, strict=True)]
    head, *body = (
        "  ".join(pad(cell, room) for cell, room in zip(row, widths, strict=True)) for row in (heads, *rows)
    )
    return [style.paint(head.rstrip(), "dim"), *body]


def _contracts(targets: Collection[Target], style: Style, width: int) -> list[str]:
    """What is documented of the contract's other clauses."""
    heads = {"contract": t(text("contract")), **{one.words: t(one.words) for one in _CLAUSES}}
    rows = [
        {
            "contract": target.name,
            **{one.words: t(in_short(target.documented(one)) or NONE) for one in _CLAUSES},
        }
        for target in targets
    ]
    widths = shared([heads, *rows], width)
    head, *body = (columns("", row, widths) for row in (heads, *rows))
    return [*(style.paint(line.rstrip(), "dim") for line in head), *(line for row in body for line in row)]


def _claim(claim: Claim, width: int, style: Style, *, quoted: bool) -> list[str]:
    said = text("{claim} ({caveat})", claim=claim.text, caveat=claim.caveat) if claim.caveat else claim.text
    lines = hang("  · ", said, width)
    if quoted and claim.quote:
        lines += [style.paint(line, "dim") for line in hang("    ", f"“{claim.quote}”", width)]
    return lines + [
        style.paint(line, "dim") for line in hang("    ", f"[{claim.certainty}] {claim.source}", width)
    ]


def _mebibytes(octets: int) -> str:
    return f"{octets / (1 << 20):g} MiB"


def _time(seconds: float) -> str:
    if seconds < 60:
        return text("{s:g} s", s=seconds)
    return text("{h:g} h", h=seconds / 3600) if seconds >= 3600 else text("{m:g} min", m=seconds / 60)

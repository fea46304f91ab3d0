"""The platforms' promises, for a terminal: `kit targets`."""

from __future__ import annotations

from collections.abc import Collection

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
_HEADS = ("target", "header sent", "header not sent", "platform")
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
    lines += ["", *hang("", f"The header is {HEADER}, sent by the service with its response.", width)]
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
    lines += ["", *hang("", "Read, not measured: kit probe URL measures yours.", width)]
    if not all_claims:
        lines += hang("", "Every claim with its quotation: kit targets NAME", width)
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
        response = "A response may be of any size"
    else:
        response = f"A response may have {_mebibytes(front.response_cap_bytes)}"
        response += ", a chunked one any size," if front.cap_spares_chunked else ""
    grace = f"{front.shutdown_grace_s:g} s"
    idle = " Without an open request an instance has little CPU or none." if front.idle == "frozen" else ""
    kits_s = target.defaults.get("timeout_s", front.deadline_s)
    kits = "" if kits_s == front.deadline_s else f" ({_time(kits_s)} as the kit deploys it)"
    return f"{response} and take {_time(front.deadline_s)}{kits}.{idle} From SIGTERM to SIGKILL: {grace}."


def _table(targets: Collection[Target], style: Style) -> list[str]:
    rows = [(target.name, promise(target, "on"), promise(target, "off"), target.title) for target in targets]
    widths = [max(map(cells, column)) for column in zip(_HEADS, *rows, strict=True)]
    head, *body = (
        "  ".join(pad(cell, room) for cell, room in zip(row, widths, strict=True)) for row in (_HEADS, *rows)
    )
    return [style.paint(head.rstrip(), "dim"), *body]


def _contracts(targets: Collection[Target], style: Style, width: int) -> list[str]:
    """What is documented of the contract's other clauses."""
    heads = {head: head for head in ("contract", *(clause.words for clause in _CLAUSES))}
    rows = [
        {
            "contract": target.name,
            **{one.words: in_short(target.documented(one)) or NONE for one in _CLAUSES},
        }
        for target in targets
    ]
    widths = shared([heads, *rows], width)
    head, *body = (columns("", row, widths) for row in (heads, *rows))
    return [*(style.paint(line.rstrip(), "dim") for line in head), *(line for row in body for line in row)]


def _claim(claim: Claim, width: int, style: Style, *, quoted: bool) -> list[str]:
    caveat = f" ({claim.caveat})" if claim.caveat else ""
    lines = hang("  · ", f"{claim.text}{caveat}", width)
    if quoted and claim.quote:
        lines += [style.paint(line, "dim") for line in hang("    ", f"“{claim.quote}”", width)]
    return lines + [
        style.paint(line, "dim") for line in hang("    ", f"[{claim.certainty}] {claim.source}", width)
    ]


def _mebibytes(octets: int) -> str:
    return f"{octets / (1 << 20):g} MiB"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"

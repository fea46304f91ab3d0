"""Which hops a response's headers hint at, and what is known of how each of them treats a stream.

A header is a hint and never evidence: any hop on the way can set it, replace it or take it away. What
an experiment showed comes first; this only says where to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from kit.language import text
from kit.proof.texts import table

# How sure something is (fingerprints.toml).
Sure = Literal["documented", "reported", "measured", "inferred"]

HOW: dict[Sure, str] = {
    "documented": text("documented, not observed"),
    "reported": text("reported in a thread, not observed"),
    "measured": text("measured on loopback, not here"),
    "inferred": "inferred",
}

NO_EVIDENCE = text("A hint is no evidence: any hop on the way can set it.")
MOST_HOPS = 20
MOST_CHARS = 80
_MOST_READ = 2_000  # of one header: no name is longer


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is known of one kind of hop.

    Attributes:
        name: as a person calls it.
        streams: what it does to a stream, a sentence; None where no source was found.
        sure: how sure that is.
        source: where it is from; threads as owner/repository/issues/number.
    """

    name: str
    streams: str | None = None
    sure: Sure = "inferred"
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One hint.

    Attributes:
        name: who it hints at.
        header: in lower case; "host" for the address's own name.
        value: the header's, or its entry of it, printable and clipped; empty where it is not shown.
        says: the hint in a sentence, with how sure the reading is, and that a hint is no evidence.
        streams: what is known of that kind of hop, with how sure it is and its source; None for nothing.
    """

    name: str
    header: str
    value: str
    says: str
    streams: str | None


_REFUSES = text("It says that it will not forward this response incrementally (RFC 10036).")
_VIA = re.compile(r'(?:[^,"(]|"(?:\\.|[^"\\])*"|\([^)]*\))+')
_STATUS_NAME = re.compile(r'\s*(?:"((?:\\.|[^"\\])*)"|([^;,\s]+))')


@cache
def fingerprint(kind: str) -> Fingerprint:
    """What is known of this kind of hop, by its name in fingerprints.toml."""
    row = {key: value.strip() for key, value in table("fingerprints")["kinds"][kind].items()}
    like = row.pop("like", None)
    return Fingerprint(**row) if like is None else replace(fingerprint(like), **row)


def hops(headers: Mapping[str, str], *, host: str | None = None) -> tuple[Hop, ...]:
    """The hops that a response's headers hint at, the nearest to the service first where an order is known.

    Args:
        headers: lower-case name to value, repeated ones joined by ", ".
        host: the name in the address that was asked, for what a platform's own names say.
    """
    found = [*_by_host(host or ""), *_by_value(headers), *_statuses(headers), *_by_name(headers)]
    return tuple(dict.fromkeys(found))[:MOST_HOPS]


def _by_host(host: str) -> Iterator[Hop]:
    name = host.lower().rstrip(".")
    for end, kind in table("fingerprints")["hosts"]:
        if name.endswith(end):
            yield _hop(fingerprint(kind), "host", name, "inferred")
    if name.endswith(".amazonaws.com"):
        if ".execute-api." in name:
            yield _hop(fingerprint("api-gateway"), "host", name, "inferred")
        elif ".elb." in name:
            yield _hop(fingerprint("aws-balancer"), "host", name, "inferred")


def _by_value(headers: Mapping[str, str]) -> Iterator[Hop]:
    for header in ("via", "server", "x-powered-by", "x-served-by", "alt-svc"):
        value = headers.get(header, "")[:_MOST_READ]
        for entry in _VIA.findall(value) if header == "via" else [value]:
            if not entry.strip():
                continue
            fits = (
                _hop(fingerprint(kind), header, entry, sure)
                for name, pattern, kind, sure in table("fingerprints")["values"]
                if name == header and re.search(pattern, entry, re.IGNORECASE)
            )
            hop = next(fits, None)
            if hop is None and header in ("via", "server"):
                name = _printable(_own_name(header, entry))
                hop = _hop(
                    Fingerprint(text("one that calls itself {name!r}", name=name)), header, entry, None
                )
            if hop is not None:
                yield hop


def _own_name(header: str, entry: str) -> str:
    """`1.1 name (comment)` in Via, without its version."""
    words = entry.split()
    return words[1] if header == "via" and len(words) > 1 else entry.strip()


def _statuses(headers: Mapping[str, str]) -> Iterator[Hop]:
    """Each hop of Proxy-Status names itself (RFC 9209), the one nearest to the service first."""
    for entry in _VIA.findall(headers.get("proxy-status", "")[:_MOST_READ]):
        named = _STATUS_NAME.match(entry)
        if named:
            hop = _hop(
                Fingerprint(
                    text("one that calls itself {name!r}", name=_printable(named[1] or named[2] or ""))
                ),
                "proxy-status",
                entry,
                None,
            )
            refuses = "incremental_refused" in entry.lower()
            yield replace(hop, streams=_REFUSES) if refuses else hop


def _by_name(headers: Mapping[str, str]) -> Iterator[Hop]:
    for wanted, kind, sure in table("fingerprints")["names"]:
        if not wanted.endswith("-"):
            if headers.get(wanted, "").strip():
                yield _hop(fingerprint(kind), wanted, headers[wanted], sure)
        elif there := next((name for name in sorted(headers) if name.startswith(wanted)), None):
            yield _hop(fingerprint(kind), _printable(there), "", sure)


def _hop(known: Fingerprint, header: str, value: str, sure: Sure | None) -> Hop:
    shown = _printable(value)
    what = f"{header}: {shown}" if shown else text("a header {header}", header=header)
    name = text("{name} ({how})", name=known.name, how=HOW[sure]) if sure else known.name
    says = text("{what} hints at {name}. {no_evidence}", what=what, name=name, no_evidence=NO_EVIDENCE)
    streams = (
        None
        if known.streams is None
        else text(
            "{streams} ({how}; {source})", streams=known.streams, how=HOW[known.sure], source=known.source
        )
    )
    return Hop(known.name, header, shown, says, streams)


def _printable(value: str) -> str:
    """A value that may be shown: no control characters, not without end."""
    text = " ".join("".join(char if char.isprintable() else "?" for char in value[:_MOST_READ]).split())
    return text if len(text) <= MOST_CHARS else text[: MOST_CHARS - 1] + "…"

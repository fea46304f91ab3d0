"""The lanes of a service, wherever it runs: the kit's own, or the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from kit.config import Config
from kit.errors import KitError, UsageError
from kit.probe.client import Ask, Client
from kit.probe.origin import discover
from kit.probe.spec import LaneSpec
from kit.proof.contract import UNASKED
from kit.proof.lane import Arm, Wanted
from kit.proof.verdict import Verdict

BOTH: tuple[Arm, ...] = ("on", "off")


def ask(config: Config, base_url: str, headers: tuple[tuple[str, str], ...] = ()) -> Ask:
    """The request whose answer is measured.

    Args:
        config: whose app is asked at its probe_path, as it says; the kit's own service at its origin.
        base_url: where the service is.
        headers: what it takes to be let in.
    """
    app = config.app
    if app is None:
        return Ask("GET", base_url, headers)
    url = base_url.rstrip("/") + app.probe_path
    return Ask(app.method, url, (*headers, *app.probe_headers), app.probe_body)


async def arms_of(config: Config, asked: Ask, *, timeout_s: float) -> tuple[Arm, ...]:
    """Which arms the service has: both where `accel=off` in the query takes the header away, else its own.

    The user's app is asked for the head of two answers, so `asked` must reach it where no front takes
    `X-Accel-Buffering` away, as Flexible's does. The kit's service is known to have both.

    Raises:
        KitError: it cannot be reached.
    """
    if config.app is None:
        return BOTH
    async with Client(timeout_s=timeout_s) as client:
        if not await _frees(client, asked):
            return ("off",)
        return ("on",) if await _frees(client, _switched_off(asked)) else BOTH


def arms_deployed(config: Config, wanted: Sequence[Wanted]) -> Sequence[Wanted]:
    """What of `wanted` to ask of a deployment: the user's app once, as it is, since each answer may cost."""
    return wanted if config.app is None or len(wanted) == 1 else ("as-is",)


async def as_its_own(asked: Ask, wanted: Sequence[Wanted], *, timeout_s: float) -> Sequence[Wanted]:
    """What of `wanted` to ask of a service at a URL: who does not know the switch is asked once, as it is.

    Of the two arms a service made with the kit has both. It is known by its address and its proof, which
    costs it nothing; any other may have to pay for each answer.
    """
    if len(wanted) == 1:
        return wanted
    if urlsplit(asked.url).path not in ("", "/", "/search"):
        return ("as-is",)
    async with Client(timeout_s=timeout_s) as client:
        try:
            found = await discover(
                client, asked.url, asked.headers, within_ms=timeout_s * 1000, proof_url=None
            )
        except KitError:  # its lane says so, when that is measured
            return ("as-is",)
    return wanted if found.speaks else ("as-is",)


def in_arm(config: Config, spec: LaneSpec, arm: Wanted, has: Sequence[Arm]) -> LaneSpec:
    """The lane in one arm.

    Args:
        config: whose app it is.
        spec: the lane, its request as `ask` gives it.
        arm: one of `has`, or as-is.
        has: the service's arms, as `arms_of` gives them.
    """
    if config.app is None:
        return replace(spec, header=arm)
    asked = _switched_off(spec.ask) if arm == "off" and "on" in has else spec.ask
    return replace(spec, header=arm, ask=asked, as_it_is=True)


def check_polling(config: Config) -> None:
    """Whether the service can be asked for its answer in pieces.

    Raises:
        KitError: BAD_USAGE, it is the user's app.
    """
    if config.app is not None:
        raise UsageError(
            "--polling asks for what the kit's own service can do, and kit.toml names an app of yours.",
            "Leave --polling out (and KIT_POLLING unset).",
        )


def with_polling(specs: Sequence[LaneSpec]) -> list[LaneSpec]:
    """The same lanes, and after each target's a further one that asks it the same by polling.

    A whole response passes every front as it is, so where anything is expected of a target's streams, its
    answer in pieces is expected to arrive as it is written.
    """
    lanes: list[LaneSpec] = []
    for target in dict.fromkeys(spec.target for spec in specs):
        streams = [spec for spec in specs if spec.target == target]
        promised = streams[0].expected or streams[0].promised
        expected = None if promised is None else Verdict.INCREMENTAL
        pieces = replace(streams[0], header="on", expected=expected, delivery="polling")
        lanes += [*streams, replace(pieces, limits=(), contract=UNASKED)]
    return lanes


def once_a_service(specs: Sequence[LaneSpec]) -> list[LaneSpec]:
    """The same lanes, of each target's only the first asked for more clauses than its limits name.

    Who leaves and how many there are is little changed by a header, and each clause takes seconds.
    """
    asked = set[str]()
    lanes = []
    for spec in specs:
        named = {limit.term.clause for limit in spec.limits}
        wanted = [one for one in spec.contract.clauses if spec.target not in asked or one in named]
        asked.add(spec.target)
        lanes.append(replace(spec, contract=replace(spec.contract, clauses=tuple(wanted))))
    return lanes


async def _frees(client: Client, asked: Ask) -> bool:
    async with client.stream(asked) as response:
        return response.headers.get("x-accel-buffering", "").strip().lower() == "no"


def _switched_off(asked: Ask) -> Ask:
    parts = urlsplit(asked.url)
    query = f"{parts.query}&accel=off" if parts.query else "accel=off"
    return replace(asked, url=urlunsplit(parts._replace(query=query)))

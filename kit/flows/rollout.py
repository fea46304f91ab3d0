"""Keeps streams open on the version that serves, while its traffic moves: which, and with what lets them in.

Streams of the proof's cost nothing but the instance's time, and last as long as the move. Where the proof is
closed the kit's own service is asked for answers of its embedded text. A model's answer costs money, and so
may an app's: those are not asked.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from hashlib import sha256
from typing import Any, TypeAlias

from kit.cloud.tokens import Runs, credentials, identity_token
from kit.errors import KitError
from kit.language import text
from kit.platforms import load
from kit.platforms.deployment import Deployment
from kit.platforms.service import Service, Version
from kit.probe.address import Headers
from kit.probe.client import Ask, Client
from kit.probe.origin import discover
from kit.probe.proof_runner import ProofRequest
from kit.probe.rollout import ANSWER_S, FEW_S, Kept, KeptStreams, answers, proof_streams
from kit.proof.rollout import unwatched
from kit.targets import Target

# Keeps streams open on a version: (target, its service, the version, what is on record of it) → them.
Keep: TypeAlias = Callable[[Target, Service, Version, Deployment | None], AbstractAsyncContextManager[Kept]]

_WITHIN_MS = 10_000.0
# Of the requests that a service takes at once streams may be one in so many: the others are its callers'.
_SHARE = 4


def no_streams(
    target: Target, service: Service, version: Version, known: Deployment | None
) -> AbstractAsyncContextManager[Kept]:
    """A `Keep` that keeps none."""
    return Kept()


class Keeping:
    """A `Keep`.

    Args:
        gcloud: who gives identity tokens.
        token: the service's own token, in clear.
        proof_token: what the proof is shown, where no token of its own is on record.
        streams: how many; 0 for none.
        settings_of: a target's own settings.
    """

    def __init__(
        self,
        gcloud: Runs,
        *,
        token: str | None,
        proof_token: str | None,
        streams: int,
        settings_of: Callable[[Target], Mapping[str, Any]],
    ) -> None:
        self._gcloud = gcloud
        self._settings_of = settings_of
        self._token = token
        self._proof_token = proof_token
        self._streams = streams

    @asynccontextmanager
    async def __call__(
        self, target: Target, service: Service, version: Version, known: Deployment | None
    ) -> AsyncIterator[Kept]:
        """Open them, as far as they can be; whatever stands in the way is what the clause says."""
        async with AsyncExitStack() as stack:
            kept = Kept()
            if self._streams:
                try:
                    kept = await self._kept(stack, target, service, version, known)
                except KitError as error:
                    kept = Kept(unwatched(error.message))
            yield await stack.enter_async_context(kept)

    async def _kept(
        self,
        stack: AsyncExitStack,
        target: Target,
        service: Service,
        version: Version,
        known: Deployment | None,
    ) -> Kept:
        platform = load(service.place.platform)
        at_once = platform.at_once(self._settings_of(target))
        streams = self._streams if at_once is None else min(self._streams, at_once // _SHARE)
        if not streams:
            return Kept(
                unwatched(
                    text(
                        "it takes {at_once} at once: streams would leave its callers no room", at_once=at_once
                    )
                )
            )
        url, own = service.url or version.url, version.url or service.url
        if url is None or own is None:
            return Kept(unwatched(text("gcloud names no URL for {name}", name=version.name)))
        token = self._token if version.token_sha256 is not None else None
        if version.token_sha256 is not None and _sha256(token) != version.token_sha256:
            return Kept(
                unwatched(text("{name} wants a token that KIT_TOKEN does not hold", name=version.name))
            )
        headers = await self._headers(service, url, token)
        recorded = known.proof_token if known is not None and known.version == version.name else None
        shown = recorded or self._proof_token
        base = f"{own.rstrip('/')}/proof"
        async with Client(timeout_s=_WITHIN_MS / 1000) as client:
            found = await discover(client, own, headers, within_ms=_WITHIN_MS, proof_url=base, token=shown)
            closed = text("its proof is not open ({why_not})", why_not=found.why_not)
            asked = "" if found.base is not None else await _generator(client, own, headers)
        on = text("open on {name}, at {url}", name=version.name, url=url)
        if found.base is not None:
            request = ProofRequest(f"{url.rstrip('/')}/proof", headers=(*headers, *found.shows), side=base)
            opened = text(
                "streams of the proof's were {on}, each fed an event a second at {own}.", on=on, own=own
            )
            live, least_s = proof_streams(stack, request), FEW_S
        elif asked == "embedded":
            opened = text(
                "answers of {seconds} s were {on}: {closed}.", seconds=ANSWER_S, on=on, closed=closed
            )
            live, least_s = answers(url, headers, answer_s=ANSWER_S), ANSWER_S + FEW_S
        else:
            whose = (
                text("an answer of {asked} costs money", asked=asked)
                if asked
                else text("an answer of the app's may cost money")
            )
            return Kept(unwatched(text("{closed}, and {whose}", closed=closed, whose=whose)))
        return KeptStreams(
            live,
            streams,
            opened,
            moves_s=platform.moves_within_s,
            grace_s=target.front.shutdown_grace_s,
            least_s=least_s,
            # App Engine's is that of the version that serves.
            stays=url != own,
        )

    async def _headers(self, service: Service, url: str, token: str | None) -> Headers:
        identity = None
        if service.public is not True and not load(service.place.platform).open_to_all:
            identity = await identity_token(self._gcloud, url)
        return credentials(url, identity=identity, token=token)


async def _generator(client: Client, url: str, headers: Headers) -> str:
    """Who writes the answers of the kit's own service; empty for an app of the user's."""
    ask = Ask("GET", f"{url.rstrip('/')}/whoami", headers)
    _, body, _, _ = await client.fetch(ask, within_ms=_WITHIN_MS, begins=b"{")
    try:
        says = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(says["generator"]) if isinstance(says, dict) and {"target", "generator"} <= says.keys() else ""


def _sha256(token: str | None) -> str | None:
    return None if token is None else sha256(token.encode()).hexdigest()

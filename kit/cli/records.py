"""Commands on what is deployed: the record's entries, gcloud, moving traffic, what is overdue, the token."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeAlias

import typer

from kit.cli.arguments import option
from kit.cli.prompts import confirmed
from kit.cli.runner import Console, configured, run, style, success, talk, warn
from kit.errors import Code, KitError
from kit.language import join, t, text

if TYPE_CHECKING:
    from kit.cloud.record import Record
    from kit.config import Config
    from kit.events import Watch
    from kit.flows.rollout import Keep
    from kit.platforms.deployment import Deployment
    from kit.platforms.gcloud.runner import Gcloud
    from kit.platforms.platform import Host
    from kit.platforms.service import Place, Service
    from kit.platforms.service import Version as CloudVersion
    from kit.proof.contract import ClauseFinding
    from kit.targets import Target as OneTarget


def recorded(names: Sequence[str]) -> list[Deployment]:
    """What is on record as deployed for these targets, in this order; all of it where none is named.

    Raises:
        KitError: NOTHING_DEPLOYED or UNKNOWN_TARGET for a name that has no entry, BAD_RECORD.
    """
    from kit.cloud.record import Record
    from kit.targets import load_targets, select

    record = Record.load(Path())
    if not names:
        order = list(load_targets())
        return sorted(record, key=lambda one: order.index(one.target) if one.target in order else len(order))
    found = []
    for name in dict.fromkeys(names):
        known = record.of(name)
        if known is None:
            select([name])
            raise KitError(
                Code.NOTHING_DEPLOYED,
                text("Nothing is on record as deployed for {name} from this folder.", name=name),
                text(
                    "kit deploy {name} deploys it; kit status --refresh {name} looks in the cloud.", name=name
                ),
            )
        found.append(known)
    return found


def gcloud(echo: Callable[[str], None] | None = None, logs: Path | None = None) -> Gcloud:
    """The user's gcloud.

    Args:
        echo: is given each line that changes something; to stderr unless given.
        logs: the folder for what it says; the bundles' own unless given.
    """
    import os

    from kit.platforms.gcloud.runner import Gcloud

    logs = logs or Path(os.environ.get("KIT_OUT") or "build", "logs")
    return Gcloud(os.environ, logs, echo or (lambda line: talk(f"$ {line}")))


def hosts(runs: Gcloud | None = None) -> Callable[[Place], Host]:
    """What asks and changes a place in the cloud, all through the same gcloud."""
    from kit.platforms import load

    asked = runs or gcloud()
    return lambda place: load(place.platform).at(place, asked)


def _named(name: str) -> str:
    from kit.targets import canonical

    return canonical(name)


Target: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="TARGET", callback=_named, envvar="KIT_TARGET", help="Which target's service."),
]
Version: TypeAlias = Annotated[
    str | None, option("--version", "This version, by its name as `kit status` shows it.")
]

# As many as show that it was no accident; each is a stream more for the version that serves.
STREAMS = 5
Streams: TypeAlias = Annotated[
    int,
    option(
        "--streams", "Streams kept open on what serves while its traffic moves; 0 for none.", min=0, max=100
    ),
]


def move(
    target: str,
    verb: str,
    choose: Callable[[Service, Deployment], CloudVersion],
    *,
    streams: int,
    yes: bool,
    as_json: bool,
) -> NoReturn:
    """Send all traffic of a recorded target's service to the version that `choose` picks.

    Raises:
        KitError: nothing is deployed, there is no such version, no yes, or whatever gcloud says.
    """
    import os

    from kit.cloud.lock import locked
    from kit.flows.rollout import Keeping
    from kit.flows.traffic import keep_anothers
    from kit.report.json import clause_data
    from kit.report.outcomes import rollout_lines

    with locked(Path()):
        (known,) = recorded([target])
        console = Console(as_json=as_json)
        runs = gcloud(console.echo)
        host = hosts(runs)(known.place)
        with console.steps(text("Looking at {service}.", service=known.service)):
            service = run(host.look())
        if service is None:
            raise KitError(
                Code.NOT_FOUND_IN_CLOUD,
                text(
                    "{service} is on record for {target}, but it is not there any more.",
                    service=known.service,
                    target=target,
                ),
                text(
                    "kit status --refresh {target} puts the record right; kit deploy {target} deploys it.",
                    target=target,
                ),
            )
        keep_anothers(service, known)
        version = choose(service, known)
        was = service.serving
        if version.traffic >= 1:
            success(
                {"target": target, "version": version.name, "was": version.name, "url": service.url},
                as_json=as_json,
                text=text(
                    "{name} has all the traffic of {service} already.",
                    name=version.name,
                    service=service.place.service,
                ),
            )
        if known.version == version.name and known.verdict_on is not None:
            talk(
                text(
                    "With the header, {name} was measured as {verdict_on}.",
                    name=version.name,
                    verdict_on=known.verdict_on,
                )
            )
        at = text(" from {name}", name=was.name) if was is not None else ""
        asked = (
            text("Promote {target}: all traffic{at} to {name}?")
            if verb == "promote"
            else text("Roll {target} back: all traffic{at} to {name}?")
        )
        confirmed(asked.format(target=target, at=at, name=version.name), yes=yes)
        keep = Keeping(
            runs,
            token=_kept(),
            proof_token=os.environ.get("STREAMPROOF_PROOF_TOKEN"),
            streams=streams,
            settings_of=_settings,
        )
        with console.steps() as watch:
            after, rollout = run(_moved(host, known, service, version, keep, watch))
    serves = text("{target}: {name} serves now at {url}", target=target, name=version.name, url=after.url)
    if was:
        back = f"kit {'rollback' if verb == 'promote' else 'promote'} {target}"
        serves += text("; `{back}` goes back.", back=back)
    success(
        {
            "target": target,
            "version": version.name,
            "was": was.name if was is not None else None,
            "url": after.url,
            "rollout": None if rollout is None else clause_data(rollout),
        },
        as_json=as_json,
        text="\n".join([t(serves), *rollout_lines(rollout, "  ", style())]),
    )


def _settings(target: OneTarget) -> Mapping[str, Any]:
    """A target's own; a kit.toml that is broken is not what stands in the way of a rollback."""
    with suppress(KitError):
        return configured().of(target)
    return target.defaults


async def _moved(
    host: Host, known: Deployment, service: Service, version: CloudVersion, keep: Keep, watch: Watch
) -> tuple[Service, ClauseFinding | None]:
    """Move the traffic; what is there then, and what became of streams that were open on what served."""
    from kit.cloud.record import Record
    from kit.events import Step, output_of
    from kit.flows.rollout import no_streams
    from kit.flows.traffic import switch
    from kit.targets import get

    target, was = known.target, service.serving
    watch(Step(target, text("moving the traffic to {name}", name=version.name)))
    async with (keep if was is not None else no_streams)(get(target), service, was or version, known) as kept:
        after = await switch(host, Record.load(Path()), service, version, output_of(target, watch), kept)
        return after, await kept.finding(lambda text: watch(Step(target, text)))


_RECORD = Path(".kit", "deployments.json")


def remind() -> None:
    """Say on stderr what should have been removed by now. Never fails, and costs nothing where nothing is."""
    if sys.argv[1:2] == ["destroy"]:
        return
    try:
        # Whether to look closer at all: most folders have no record, most records nothing that expires.
        if '"expires_at": "' not in _RECORD.read_text(encoding="utf-8"):
            return
        import time

        from kit.cloud.record import Record
        from kit.cloud.status import overdue

        line = overdue(Record.load(Path()), time.time())
    except Exception:  # whatever is wrong there, this command may have nothing to do with it
        return
    if line:
        warn(line)


_TOKEN_BYTES = 32


def chosen_token(wanted: bool | None, names: list[str], record: Record) -> tuple[str | None, str | None]:
    """The token in clear, where it is known, and its SHA-256: a new one, the one there is, or none.

    Raises:
        KitError: what is deployed wants a token that KIT_TOKEN does not hold.
    """
    import secrets

    if wanted is False:
        return None, None
    if wanted:
        clear = _kept() or secrets.token_urlsafe(_TOKEN_BYTES)
        return clear, _sha256(clear)
    there = [one for one in map(record.of, names) if one is not None and one.token_sha256 is not None]
    if not there:
        return None, None
    hint = text(
        "Set KIT_TOKEN to the token that was printed then; --require-token makes a new one, "
        "--no-require-token none."
    )
    clear = _held(there, hint)
    return clear, _sha256(clear)


def serving_token(config: Config, names: list[str], record: Record) -> tuple[str | None, str | None]:
    """What callers must show already, of which a folder without a record knows by KIT_TOKEN alone.

    As `chosen_token`; an app of the user's own asks for none.
    """
    clear, sha256 = chosen_token(None, names, record)
    kept = _kept()
    if sha256 is None and kept is not None and config.app is None:
        return kept, _sha256(kept)
    return clear, sha256


def deployed_token(deployments: Sequence[Deployment]) -> str | None:
    """What KIT_TOKEN holds; None where it holds nothing and nothing that is deployed wants a token.

    Raises:
        KitError: what is deployed wants a token that KIT_TOKEN does not hold.
    """
    there = [one for one in deployments if one.token_sha256 is not None]
    return _held(there, text("Set KIT_TOKEN to the token that `kit deploy` printed.")) if there else _kept()


def tell_token(token: str) -> None:
    """Print the token, this once: only its SHA-256 is kept."""
    if token == _kept():
        return
    talk(
        text(
            "The token, shown this once: {token}\n  Callers send it as Authorization: Bearer TOKEN; the kit "
            "reads it from KIT_TOKEN.",
            token=token,
        )
    )


def _held(deployments: Sequence[Deployment], hint: str) -> str:
    clear = _kept()
    if clear is None or {one.token_sha256 for one in deployments} != {_sha256(clear)}:
        said = (
            text("What is deployed ({targets}) wants a token, and KIT_TOKEN is not set.")
            if clear is None
            else text("What is deployed ({targets}) wants a token, and KIT_TOKEN holds another.")
        )
        targets = join(" and ", (one.target for one in deployments))
        raise KitError(Code.NOT_READY_TO_DEPLOY, said.format(targets=targets), hint)
    return clear


def _kept() -> str | None:
    import os

    return os.environ.get("KIT_TOKEN", "").strip() or None


def _sha256(clear: str) -> str:
    import hashlib

    return hashlib.sha256(clear.encode()).hexdigest()

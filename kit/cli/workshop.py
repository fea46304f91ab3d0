"""`kit workshop`: a page that shows every lane's stream side by side, live, until Ctrl-C."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit import language
from kit.cli.arguments import (
    Fronts,
    Isolated,
    Json,
    Out,
    ProofToken,
    Timeout,
    Yes,
    option,
    pairs,
    with_settings,
)
from kit.cli.prompts import trusted
from kit.cli.request import Request, with_request
from kit.cli.runner import configured, run, show, talk
from kit.errors import UsageError

if TYPE_CHECKING:
    from kit.workshop.workshop import PageAddress

PORT = 8765


@with_settings
@with_request
def command(
    request: Request,
    settings: dict[str, object],
    lanes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET|NAME=URL]…",
            envvar="KIT_LANES",
            help="Which targets of the lab (all unless named), or services that run elsewhere as NAME=URL.",
            show_default=False,
        ),
    ] = None,
    deployed: Annotated[bool, option("--deployed", "Show what is on record as deployed.")] = False,
    port: Annotated[
        int,
        option(
            "--port", "Where the page listens; 0 for a free port.", env="KIT_WORKSHOP_PORT", min=0, max=65_535
        ),
    ] = PORT,
    host: Annotated[
        str,
        option(
            "--host",
            "The address it listens on; 0.0.0.0 lets phones in the room open what is printed.",
            env="KIT_WORKSHOP_HOST",
        ),
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        option(
            "--allow-host",
            "Another name that the page may be opened as: a tunnel's, a preview's.",
            metavar="NAME",
        ),
    ] = None,
    front: Fronts = None,
    out: Out = Path("build"),
    isolated: Isolated = False,
    proof_token: ProofToken = None,
    timeout: Timeout = 60.0,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Show the same question streaming through every platform side by side, on a page, until Ctrl-C.

    Without lanes the lab is run: the bundles, each behind its platform's front, emulated from documentation.
    With --deployed it shows what you deployed. The page's server gives the credentials; the browser has none.
    Where other machines reach the page (--host, --allow-host), its printed address holds a secret: give it to
    those only who may spend what a run costs.
    """
    from kit.cli.compare import deployed_asks, named_asks
    from kit.cli.records import gcloud, recorded
    from kit.config import Config
    from kit.lab.lanes import prepare
    from kit.targets import load_targets
    from kit.workshop.lanes import Renewal, named
    from kit.workshop.page_config import as_it_is
    from kit.workshop.serving import listen
    from kit.workshop.workshop import PageAddress, Session, show_lab, show_specs

    known, names = load_targets(), lanes or []
    elsewhere = deployed or any("=" in name or "://" in name for name in names)
    if elsewhere and (front or isolated):
        raise UsageError(
            "--swap-front and --isolated are the lab's, and no lab is run.",
            "Leave them out, or name targets only.",
        )
    config = request.of(configured(**settings)) if deployed or not elsewhere else Config()
    fronts = pairs("--swap-front", "TARGET=OTHER", front or [])
    proof_tokens: dict[str, str | None] = {}
    warnings = [
        language.text("{name} stands behind the front of {other}", name=name, other=other)
        for name, other in fronts.items()
    ]
    if not elsewhere:
        trusted(config, yes=yes)
        prepared = prepare(known, names, config, out, fronts=fronts)
    elif deployed:
        asks = deployed_asks(names, config, warnings, as_json=as_json)
        proof_tokens = {one.target: one.proof_token for one in recorded(list(asks))}
    else:
        asks = named_asks(names, request)
    with listen(host, port) as listening:
        address = PageAddress.of(listening, host, tuple(allow_host or ()))
        session = Session(address, known, timeout, partial(_ready, address, warnings, as_json=as_json))
        if elsewhere:
            specs = named(
                asks,
                known,
                config,
                timeout_s=timeout,
                proof_token=proof_token,
                proof_tokens=proof_tokens,
                http2=bool(request.http2),
            )
            fresh = Renewal(gcloud(), timeout_s=timeout) if deployed else as_it_is
            run(show_specs(session, specs, "cloud" if deployed else "url", fresh))
        else:
            run(show_lab(session, prepared, config, isolated=isolated, say=talk))


def _ready(address: PageAddress, warnings: list[str], *, as_json: bool) -> None:
    others = address.url_for_others
    text = address.url
    if others is not None:
        text += f"\n{others}  {language.t(language.text('(from another machine)'))}"
    show({"url": address.url}, as_json=as_json, text=text, warnings=warnings)
    talk(language.text("Open it in a browser. Ctrl-C ends the workshop."))

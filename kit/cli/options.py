"""Options that several verbs have, so that they mean and read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from kit.cli.asking import Arms

Targets: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        envvar="KIT_TARGETS",
        help="Which targets; all unless named. See `kit targets`.",
    ),
]
Out: TypeAlias = Annotated[
    Path, typer.Option(envvar="KIT_OUT", help="The folder for the bundles, and for what is made from them.")
]
Fronts: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--front",
        metavar="TARGET=OTHER",
        envvar="KIT_FRONT",
        help="Put the other target's front before this one, to see a promise broken.",
    ),
]
Isolated: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--isolated",
        envvar="KIT_ISOLATED",
        help="Install each bundle's own requirements into an environment of its own first.",
    ),
]
Prompt: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="KIT_PROMPT",
        help="The question for a service made with the kit; others get their request as it is.",
    ),
]
Arm: TypeAlias = Annotated[
    Arms,
    typer.Option(
        envvar="KIT_ARM",
        help="Have a service made with the kit send X-Accel-Buffering: no, or not, or measure both.",
    ),
]
Expect: TypeAlias = Annotated[
    str | None,
    typer.Option(envvar="KIT_EXPECT", metavar="VERDICT", help="Exit 3 unless this is the verdict."),
]
Http2: TypeAlias = Annotated[
    bool, typer.Option("--http2", envvar="KIT_HTTP2", help="Offer HTTP/2 (over TLS).")
]
Timeout: TypeAlias = Annotated[
    float,
    typer.Option(
        envvar="KIT_TIMEOUT",
        min=1,
        max=3600,
        help="Seconds for the whole answer, and for the first sign of life.",
    ),
]
Json: TypeAlias = Annotated[
    bool, typer.Option("--json", envvar="KIT_JSON", help="Print one JSON document on stdout.")
]

"""`kit targets`: what each platform promises, with sources and certainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kit.cli.arguments import Json
from kit.cli.runner import style, success

if TYPE_CHECKING:
    from kit.targets import Target, TargetSetting


def command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(envvar="KIT_TARGETS", help="Only these, with every claim."),
    ] = None,
    as_json: Json = False,
) -> None:
    """What each platform is documented to do with a stream, with sources and how sure they are."""
    from kit.report.promises import promises
    from kit.targets import select

    chosen = select(targets or [])
    text = promises(chosen, all_claims=bool(targets), style=style())
    success({"targets": [_as_data(target) for target in chosen]}, as_json=as_json, text=text)


def _as_data(target: Target) -> dict[str, Any]:
    from dataclasses import asdict

    from kit.report.promises import promise

    return {
        "target": target.name,
        "title": target.title,
        "expected": dict(target.expect),
        "in_words": {arm: promise(target, arm) for arm in target.expect},
        "advice": target.advice,
        "front": asdict(target.front),
        "defaults": target.defaults,
        "settings": {name: _setting(setting) for name, setting in target.settings.items()},
        "rules": [
            {"holds": rule.holds, "says": rule.says, "source": rule.source, "certainty": rule.certainty}
            for rule in target.rules
        ],
        "claims": [{**asdict(claim), "caveat": claim.caveat} for claim in target.claims],
    }


def _setting(setting: TargetSetting) -> dict[str, Any]:
    return {
        "default": setting.plain_default,
        "follows": setting.follows,
        "expected": setting.expected,
        "meaning": setting.meaning,
        "source": setting.source,
        "certainty": setting.certainty,
    }

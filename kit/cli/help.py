"""The layout of `--help`: commands and options under headings, short types, an example, nothing cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from kit.cli.arguments import OF_EVERY_VERB, OLD_NAMES, Group

# In the order in which a newcomer needs them.
GROUPS: Final = {
    "Check a URL": ("probe", "doctor", "explain", "compare", "load", "proof"),
    "On this machine": ("demo", "workshop", "lab", "targets", "render"),
    "On Google Cloud": (
        "deploy", "preview", "status", "promote", "rollback", "logs", "open", "destroy", "rehearse",
    ),
}  # fmt: skip

VERBS: Final = tuple(verb for verbs in GROUPS.values() for verb in verbs)

EXAMPLES: Final = {
    "demo": "kit demo run standard --accel-header on",
    "probe": 'kit probe https://example.com/chat -d \'{"q": "why"}\' --expect streamed',
    "doctor": "kit doctor https://example.com/chat --direct http://127.0.0.1:8000/chat",
    "explain": "kit explain nginx-buffers",
    "compare": "kit compare here=http://127.0.0.1:8000/chat there=https://example.com/chat",
    "load": "kit load https://example.com/chat --streams 200 --for 60s",
    "proof": "kit proof > proof.py",
    "targets": "kit targets standard",
    "render": "kit render run --set run.memory=1Gi --show",
    "lab": "kit lab run --port run=8001",
    "workshop": "kit workshop --host 0.0.0.0",
    "deploy": "kit deploy run --project my-project --dry-run",
    "preview": "kit preview pr-12 run --project my-project --markdown preview.md",
    "status": "kit status --refresh",
    "promote": "kit promote run",
    "rollback": "kit rollback run",
    "logs": "kit logs run --limit 20",
    "open": "kit open run",
    "destroy": "kit destroy --all",
    "rehearse": "kit rehearse status",
}

_TYPES = (
    (r"<(?:list\[)?str\]?>", "TEXT"),
    (r"<(?:int|float)(?: range)?>", "N"),
    (r"<path>", "PATH"),
    (r"<(\S+\|\S+)>", r"\1"),
)
_EXTRA = (
    (r"([\d.]+)<=x<=([\d.]+)", r"\1 to \2"),
    (r"x>=([\d.]+)", r"at least \1"),
    (r"(?<![\d.])(\d+)\.0(?![\d.])", r"\1"),  # no address
)


class Command(TyperCommand):
    """A verb: its arguments, its options by what they are about, an example; and what every verb has."""

    def __init__(self, name: str | None, *, params: list[Any], **more: Any) -> None:
        super().__init__(name, params=[*params, *OF_EVERY_VERB], **more)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write them."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
                heading = str(getattr(parameter, "rich_help_panel", None) or usual)
                sections.setdefault(heading, []).append(_shown(parameter, *record))
        for heading in ("Arguments", *Group, "Options"):
            if rows := sections.get(heading):
                with formatter.section(heading):
                    formatter.write_dl(rows, col_max=26)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example, and what all options share."""
        with formatter.section("Example"):
            formatter.write(f"{'':{formatter.current_indent}}{EXAMPLES[str(self.name)]}\n")
        formatter.write_paragraph()
        formatter.write_text("Each option can be set by a variable too, as --timeout by KIT_TIMEOUT.")


class Verbs(TyperGroup):
    """All verbs, each with its first sentence."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write them."""
        for heading, verbs in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(verb, _first(getdoc(_module(verb).command) or "")) for verb in verbs])


class _Commands(dict[str, Any]):
    """The verbs' commands, each made when it is asked for: a process needs one, and that takes its time."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(VERBS))

    def __getitem__(self, verb: str) -> Any:
        made = super().__getitem__(verb)
        if made is None:
            made = self[verb] = _command(verb)
        return made

    def get(self, verb: str, default: Any = None) -> Any:
        return self[verb] if super().__contains__(verb) else default

    def values(self) -> Any:
        return [self[verb] for verb in self]

    def items(self) -> Any:
        return [(verb, self[verb]) for verb in self]


def _command(verb: str) -> Any:
    module = _module(verb)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    settings = getattr(module, "CONTEXT", None)
    alone.command(verb, cls=getattr(module, "CLASS", Command), context_settings=settings)(module.command)
    return typer.main.get_command(alone)


def _module(verb: str) -> Any:
    return import_module(f"kit.cli.{verb}")


def _first(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def _shown(parameter: Any, name: str, says: str) -> tuple[str, str]:
    for old in OLD_NAMES & {*parameter.opts, *parameter.secondary_opts}:
        name = name.replace(f", {old}", "").replace(f"{old}, ", "")
    for theirs, ours in _TYPES:
        name = re.sub(theirs, ours, name)
    if parameter.param_type_name == "argument":
        name = name.partition(" ")[0]
    before, bracket, extra = says.rpartition("  [")
    if not bracket:
        return name, says
    notes = [note for note in extra.removesuffix("]").split("; ") if not _usual_variable(parameter, note)]
    for theirs, ours in _EXTRA:
        notes = [re.sub(theirs, ours, note) for note in notes]
    return name, f"{before}  [{'; '.join(notes)}]" if notes else before


def _usual_variable(parameter: Any, note: str) -> bool:
    """Whether a note names the variable that follows from an option's name."""
    named = {f"KIT_{name.lstrip('-').replace('-', '_').upper()}" for name in _names(parameter)}
    return note.startswith("env var: ") and set(note.removeprefix("env var: ").split(", ")) <= named


def _names(parameter: Any) -> Iterator[str]:
    yield str(parameter.name)
    yield str(parameter.metavar)
    yield from parameter.opts

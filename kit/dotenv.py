"""Variables in a file, as a shell, docker and python-dotenv read them: NAME=VALUE, a line each."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[^\s=#]+)[ \t]*=[ \t]*
    (?:'(?P<as_is>[^']*)'|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\n]*?))
    [ \t]*(?:(?<=\s)\#.*)?""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse_dotenv(text: str) -> dict[str, str]:
    """The variables; of a name that comes twice the last value.

    Empty lines and what follows a # are no values. `export` may come first. In double quotes a backslash
    escapes (\\n is a line break), in single quotes nothing does.

    Raises:
        ValueError: a line is none of these, by its number; not with what it holds.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or (match["bare"] or "").startswith(("'", '"')):
            raise ValueError(f"line {number} is not of the form NAME=VALUE")
        quoted = match["quoted"]
        if quoted is not None:
            quoted = re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), quoted)
        found[match["name"]] = next(
            value for value in (match["as_is"], quoted, match["bare"]) if value is not None
        )
    return found

"""Values on their way into generated files: nothing that a value holds can end the place it was put in.

Each filter returns `Quoted`; the renderer refuses to print a text that is not, so that a template cannot
forget one.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from kit.errors import Code, KitError

_IN_DOCKERFILE = str.maketrans({"'": "'\"'\"'", "\\": "'\\\\'"})


class Quoted(str):
    """A text that is safe where it stands."""

    __slots__ = ()


def yaml(value: str) -> Quoted:
    """A double-quoted YAML scalar in printable ASCII (https://yaml.org/spec/1.2.2/#57-escaped-characters)."""
    return Quoted('"' + "".join(map(_yaml_character, value)) + '"')


def _yaml_character(char: str) -> str:
    code = ord(char)
    if char in '"\\':
        return f"\\{char}"
    if 0x20 <= code < 0x7F:
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def docker_env(variables: Mapping[str, str]) -> Quoted:
    """`NAME='value'` for a Dockerfile's ENV, a line for each, quoted as for a POSIX shell.

    Within single quotes nothing has a meaning to a builder. A single quote itself stands between double ones,
    and a backslash, which some readers take for an escape even there, outside of all quotes before another.

    Raises:
        KitError: BAD_CONFIG for a line break or a control character, which a Dockerfile cannot carry.
    """
    for name, value in variables.items():
        if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in value):
            raise KitError(
                Code.BAD_CONFIG,
                f"The environment variable {name} holds a line break or another control character, "
                "which a Dockerfile cannot carry.",
                f"Encode it (as base64, say), or leave {name} out.",
            )
    return Quoted(
        " \\\n    ".join(f"{name}='{value.translate(_IN_DOCKERFILE)}'" for name, value in variables.items())
    )


def json_list(value: Sequence[str]) -> Quoted:
    """A list for the JSON form of a Dockerfile's CMD."""
    return Quoted(json.dumps(value, ensure_ascii=False))


def word(value: str) -> Quoted:
    """A text of letters, digits, dots and dashes, which needs no quotes anywhere."""
    if not re.fullmatch(r"[A-Za-z0-9.-]+", value):
        raise KitError(
            Code.BAD_CONFIG, f"{value!r} cannot stand here.", "Use letters, digits, dots and dashes only."
        )
    return Quoted(value)


def path(value: str) -> Quoted:
    """A name for a line of an ignore file or for a COPY, in which none of its characters has a meaning."""
    if not value.isprintable() or value != value.strip() or re.search(r"[*?\[\]\\!#$]", value):
        raise KitError(
            Code.BAD_SOURCE,
            f"{value!r}, at the top of the app, has a character that means something in an ignore file.",
            "Rename it, or name it in the .gcloudignore of its folder.",
        )
    return Quoted(value)

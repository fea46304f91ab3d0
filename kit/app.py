"""The user's own app: the table `[app]` of kit.toml, which stands in for the kit's service.

Only what can be told from the table itself is checked here; `kit.source` and `kit.requirements` read the
files that it names.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import Any, Final, TypeAlias

from kit.table import Table

Headers: TypeAlias = tuple[tuple[str, str], ...]

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_MODULE: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*")
# What a request line carries as it stands; two slashes at the start would name a host.
_PATH: Final = re.compile(r"/(?!/)[!-\"$-~]*")
# RFC 9110, 5.6.2 and 5.5: a method's or a header's name, and a header's value.
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")


@dataclass(frozen=True, slots=True)
class App:
    """An ASGI app of the user's own.

    Attributes:
        module: where it is, as gunicorn takes it: "mine.main:app", or "mine.main:create_app()" for a function
            that makes it, called with nothing or with literals.
        source: the folder from which `mine` can be imported; its files are what is deployed.
        requirements: the file that names the packages it needs.
        probe_path: where its answer is measured; may have a query.
        include: patterns, in .gitignore's syntax, of the files that are deployed; none to ask git.
        probe_method: how it is asked; None where nothing says.
        probe_headers: what is sent along, the body's media type included.
        probe_body: the request's body; None for none.
        proof: whether the kit wraps the proof around it.
    """

    module: str
    source: Path
    requirements: Path
    probe_path: str = "/"
    include: tuple[str, ...] = ()
    probe_method: str | None = None
    probe_headers: Headers = ()
    probe_body: bytes | None = None
    proof: bool = True

    @property
    def files(self) -> tuple[str, str]:
        """Where its module may stand below `source`: as a file, or as a package."""
        path = self.module.partition(":")[0].replace(".", "/")
        return f"{path}.py", f"{path}/__init__.py"

    @property
    def is_made(self) -> bool:
        """Whether a function makes it."""
        return self.module.endswith(")")

    @property
    def method(self) -> str:
        """How its answer is asked for, as far as is known without asking."""
        return self.probe_method or ("GET" if self.probe_body is None else "POST")


def read_app(table: Table, folder: Path) -> App | None:
    """What `[app]` says; None where there is no such table.

    Args:
        table: the table, perhaps empty.
        folder: what its paths are relative to.

    Raises:
        KitError: with the table's code, one sentence that names the key and what was expected.
    """
    if not table.raw:
        return None
    module = table.take("module", str)
    if not names_an_app(module):
        raise table.bad(
            "module",
            'a module and the name of an ASGI app in it, such as "mine.main:app", or a call with literals '
            'that makes one, such as "mine.main:create_app()"',
        )
    source = folder / _path(table, "source", ".")
    default = source / "requirements.txt"
    probe_headers, probe_body = _request(table)
    app = App(
        module=module,
        source=source,
        requirements=folder / _path(table, "requirements", "") if "requirements" in table.raw else default,
        probe_path=table.take("probe_path", str, "/"),
        probe_method=_method(table),
        probe_headers=probe_headers,
        probe_body=probe_body,
        include=_include(table),
        proof=table.take("proof", bool, True),
    )
    if not _PATH.fullmatch(app.probe_path):
        raise table.bad("probe_path", 'a path from the root, such as "/chat?question=why", percent-encoded')
    table.done(("include", "probe_body"))
    return app


def with_json(headers: Headers, value: object) -> tuple[Headers, bytes]:
    """The headers and the body that send a value as JSON; a Content-Type of the user's own stays."""
    if all(name.lower() != "content-type" for name, _ in headers):
        headers = (*headers, ("content-type", "application/json"))
    return headers, json.dumps(value).encode()


def names_an_app(module: str) -> bool:
    """Whether gunicorn takes it (gunicorn/util.py, import_app), with a module of ASCII names only."""
    name, colon, attribute = module.partition(":")
    if not colon or not _MODULE.fullmatch(name) or any(map(iskeyword, name.split("."))):
        return False
    if not (attribute.isascii() and attribute.isprintable()) or attribute != attribute.strip():
        return False
    try:
        named = ast.parse(attribute, mode="eval").body
        if isinstance(named, ast.Call):
            for value in (*named.args, *(keyword.value for keyword in named.keywords if keyword.arg)):
                ast.literal_eval(value)
            if not all(keyword.arg for keyword in named.keywords):
                return False
            named = named.func
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return False
    return isinstance(named, ast.Name)


def _path(table: Table, key: str, default: str) -> str:
    path = table.take(key, str, default)
    if not path or "\0" in path:
        raise table.bad(key, "a path relative to this file")
    return path


def _method(table: Table) -> str | None:
    method = table.take("probe_method", str, None)
    if method is not None and not _TOKEN.fullmatch(method):
        raise table.bad("probe_method", 'a method, such as "POST"')
    return None if method is None else method.upper()


def _request(table: Table) -> tuple[Headers, bytes | None]:
    headers = tuple(table.texts("probe_headers").items())
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise table.bad("probe_headers", 'a table of headers, such as {Accept = "text/event-stream"}')
    body: Any = table.raw.get("probe_body")
    if body is None or isinstance(body, str):
        return headers, None if body is None else body.encode()
    if isinstance(body, dict | list):
        try:
            return with_json(headers, body)
        except (TypeError, ValueError):  # TOML has dates, which JSON has not
            pass
    raise table.bad("probe_body", "a text, or a table or a list that is sent as JSON")


def _include(table: Table) -> tuple[str, ...]:
    value = table.raw.get("include", [])
    if not isinstance(value, list) or not all(
        isinstance(one, str) and one.strip() and one.isprintable() for one in value
    ):
        raise table.bad("include", 'a list of patterns as in a .gitignore, such as ["mine/", "*.json"]')
    if value and all(one.startswith(("!", "#")) for one in value):
        raise table.bad("include", "at least one pattern that names what belongs to the app")
    return tuple(value)

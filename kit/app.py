"""The user's own app: the table `[app]` of kit.toml, which stands in for the kit's service.

Only what the table itself shows is checked here; `kit.source` and `kit.requirements` read the files that it
names.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from keyword import iskeyword
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from kit.errors import Code
from kit.schema import STRICT, Convert, parse

Headers: TypeAlias = tuple[tuple[str, str], ...]

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_MODULE: Final = re.compile(rf"{_NAME}(?:\.{_NAME})*")
# What every platform takes as a service's name.
_LABEL: Final = re.compile(r"[a-z]([a-z0-9-]{0,33}[a-z0-9])?")
# What a request line carries as it stands; two slashes at the start would name a host.
_PATH: Final = re.compile(r"/(?!/)[!-\"$-~]*")
# RFC 9110, 5.6.2 and 5.5: a method's or a header's name, and a header's value.
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")


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


def _module(module: str) -> str:
    is_file = re.search(r"\.py(:|$)", module)
    if is_file or not names_an_app(module):
        name, colon, attribute = re.sub(r"\.py(?=:|$)", "", module).replace("/", ".").partition(":")
        meant = f"{name.lstrip('.')}:{attribute if colon else 'app'}"
        raise ValueError(
            'a module and the name of an ASGI app in it, such as "mine.main:app", or a call with literals '
            'that makes one, such as "mine.main:create_app()"'
            + (f'; did you mean "{meant}"?' if names_an_app(meant) else "")
        )
    return module


def _name(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise ValueError(
            'up to 35 lower-case letters, digits and hyphens, a letter first, such as "shop-chat"'
        )
    return name


def _file(path: str) -> Path:
    if not path or "\0" in path:
        raise ValueError("a path relative to this file")
    return Path(path)


def _probe_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError('a path from the root, such as "/chat?question=why", percent-encoded')
    return path


def _patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    if not all(one.strip() and one.isprintable() for one in patterns):
        raise ValueError('a list of patterns as in a .gitignore, such as ["mine/", "*.json"]')
    if patterns and all(one.startswith(("!", "#")) for one in patterns):
        raise ValueError("at least one pattern that names what belongs to the app")
    return patterns


def _method(method: str) -> str:
    if not _TOKEN.fullmatch(method):
        raise ValueError('a method, such as "POST"')
    return method.upper()


def _headers(headers: Mapping[str, str]) -> Headers:
    if not all(_TOKEN.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers.items()):
        raise ValueError('a table of headers, such as {Accept = "text/event-stream"}')
    return tuple(headers.items())


def _body(body: object) -> bytes:
    if not isinstance(body, str | dict | list):
        raise ValueError("a text, or a table or a list that is sent as JSON")
    return (body if isinstance(body, str) else json.dumps(body)).encode()


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
        name: what its services are called; None to call them by where it comes from (`kit.identity`).
    """

    __pydantic_config__ = STRICT

    module: Annotated[str, Convert(_module)]
    source: Annotated[Path, Convert(_file, str)]
    requirements: Annotated[Path, Convert(_file, str)]
    probe_path: Annotated[str, Convert(_probe_path)] = "/"
    include: Annotated[tuple[str, ...], Convert(_patterns)] = ()
    probe_method: Annotated[str, Convert(_method)] | None = None
    probe_headers: Annotated[Headers, Convert(_headers, dict[str, str])] = ()
    probe_body: Annotated[bytes | None, Convert(_body, Any)] = None
    proof: bool = True
    name: Annotated[str, Convert(_name)] | None = None

    @property
    def files(self) -> tuple[str, str]:
        """Where its module may stand below `source`: as a file, or as a package."""
        path = self.module.partition(":")[0].replace(".", "/")
        return f"{path}.py", f"{path}/__init__.py"

    @property
    def method(self) -> str:
        """How its answer is asked for, as far as is known without asking."""
        return self.probe_method or ("GET" if self.probe_body is None else "POST")


def read_app(raw: Mapping[str, Any], folder: Path, file: Path | str, code: Code, *, at: str = "") -> App:
    """The app of the table `[app]`.

    Args:
        raw: the table.
        folder: what its paths are relative to.
        file: where the table stands, for people.
        code: of the error.
        at: the table's key there; empty where its keys stand alone.

    Raises:
        KitError: with that code, one sentence that names the key and what was expected.
    """
    source = raw.get("source", ".")
    app = parse(
        App, {"source": source, "requirements": f"{source}/requirements.txt", **raw}, file, code, at=at
    )
    if isinstance(raw.get("probe_body"), dict | list):
        app = replace(app, probe_headers=_with_json_type(app.probe_headers))
    return replace(app, source=folder / app.source, requirements=folder / app.requirements)


def with_json(headers: Headers, value: object) -> tuple[Headers, bytes]:
    """The headers and the body that send a value as JSON; a Content-Type of the user's own stays."""
    return _with_json_type(headers), json.dumps(value).encode()


def _with_json_type(headers: Headers) -> Headers:
    if any(name.lower() == "content-type" for name, _ in headers):
        return headers
    return (*headers, ("content-type", "application/json"))

"""The user's own app: the table `[app]` of kit.toml, which stands in for the kit's service.

Only what can be told from the table itself is checked here; `kit.source` and `kit.requirements` read the
files that it names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from keyword import iskeyword
from pathlib import Path
from typing import Final

from kit.table import Table

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_MODULE: Final = re.compile(rf"({_NAME}(?:\.{_NAME})*):({_NAME})")
# What a request line carries as it stands; two slashes at the start would name a host.
_PATH: Final = re.compile(r"/(?!/)[!-\"$-~]*")


@dataclass(frozen=True, slots=True)
class App:
    """An ASGI app of the user's own.

    Attributes:
        module: where it is, as gunicorn takes it: "mine.main:app".
        source: the folder from which `mine` can be imported; its files are what is deployed.
        requirements: the file that names the packages it needs.
        probe_path: where its answer is measured; may have a query.
        include: patterns, in .gitignore's syntax, of the files that are deployed; none to ask git.
    """

    module: str
    source: Path
    requirements: Path
    probe_path: str = "/"
    include: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, str]:
        """Where its module may stand below `source`: as a file, or as a package."""
        path = self.module.partition(":")[0].replace(".", "/")
        return f"{path}.py", f"{path}/__init__.py"


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
    found = _MODULE.fullmatch(module)
    if not found or any(map(iskeyword, re.split(r"[.:]", module))):
        raise table.bad("module", 'a module and the name of an ASGI app in it, such as "mine.main:app"')
    source = folder / _path(table, "source", ".")
    default = source / "requirements.txt"
    app = App(
        module=module,
        source=source,
        requirements=folder / _path(table, "requirements", "") if "requirements" in table.raw else default,
        probe_path=table.take("probe_path", str, "/"),
        include=_include(table),
    )
    if not _PATH.fullmatch(app.probe_path):
        raise table.bad("probe_path", 'a path from the root, such as "/chat?question=why", percent-encoded')
    table.done(("include",))
    return app


def _path(table: Table, key: str, default: str) -> str:
    path = table.take(key, str, default)
    if not path or "\0" in path:
        raise table.bad(key, "a path relative to this file")
    return path


def _include(table: Table) -> tuple[str, ...]:
    value = table.raw.get("include", [])
    if not isinstance(value, list) or not all(
        isinstance(one, str) and one.strip() and one.isprintable() for one in value
    ):
        raise table.bad("include", 'a list of patterns as in a .gitignore, such as ["mine/", "*.json"]')
    if value and all(one.startswith(("!", "#")) for one in value):
        raise table.bad("include", "at least one pattern that names what belongs to the app")
    return tuple(value)

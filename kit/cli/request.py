"""Request options, the same for every command that asks for an answer, and the request that they say."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, TypeAlias

from kit.cli.arguments import Group, option
from kit.cli.packed import options_of, packed
from kit.cli.runner import talk
from kit.errors import UsageError

if TYPE_CHECKING:
    from kit.app import App
    from kit.config import Config
    from kit.probe.client import Ask

Headers: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """How answers are asked for.

    Attributes:
        method: None for GET, or POST where there is a body.
        headers: sent along; the body's media type too.
        body: the request's body.
        url: of a copied command; None without one.
        http2: whether HTTP/2 is offered over TLS; None where nothing says.
        insecure: any certificate will do.
        cacert: a PEM file of the authorities to trust; None for the machine's.
        says: which options say how answers are asked for.
    """

    method: str | None = None
    headers: Headers = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    http2: bool | None = None
    insecure: bool = False
    cacert: str | None = None
    says: tuple[str, ...] = ()

    def ask(self, url: str) -> Ask:
        """The request to this address; a copied command's credentials go to their own origin only.

        Raises:
            KitError: BAD_USAGE, it is no address.
        """
        from kit.probe.address import checked, same_origin
        from kit.probe.client import Ask

        checked(url)
        headers = self.headers if self.url is None else same_origin(self.headers, self.url, url)
        return Ask(self.method or ("GET" if self.body is None else "POST"), url, headers, self.body)

    def one(self, url: str | None) -> Ask:
        """The one request that an address or a copied command says.

        Raises:
            KitError: BAD_USAGE, both or neither are there.
        """
        if (url is None) == (self.url is None):
            raise UsageError(
                "There is no address to ask." if url is None else "There are two addresses to ask.",
                "Give a URL, or a copied command (--from-curl FILE), which has one of its own.",
            )
        return self.ask(url or self.url or "")

    def of(self, config: Config) -> Config:
        """The configuration, its app asked as the options say, if they say how.

        Raises:
            KitError: BAD_USAGE, there is no app that could be asked so.
        """
        if not self.says:
            return config
        if config.app is None:
            raise UsageError(
                f"{self.says[0]} says how an app of yours is asked, and kit.toml names none here.",
                "Leave it out: the kit's own service is asked by itself.",
            )
        return replace(config, app=self.of_app(config.app))

    def of_app(self, app: App) -> App:
        """The app, asked so; a copied command says its path too.

        Raises:
            KitError: BAD_USAGE, the copied command's address has no path that a request line carries.
        """
        from urllib.parse import urlsplit, urlunsplit

        from kit.probe.address import in_ascii

        path = app.probe_path
        if self.url is not None:
            parts = urlsplit(in_ascii(self.url))
            path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        method = None if self.method == "GET" else self.method
        return replace(
            app, probe_path=path, probe_method=method, probe_headers=self.headers, probe_body=self.body
        )


def _read(
    method: Annotated[
        str | None,
        option(
            "--method", "GET unless given, or POST with data.", "-X", old="--request", group=Group.REQUEST
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        option(
            "--header",
            "One more request header; in KIT_HEADER one a line.",
            "-H",
            metavar="NAME: VALUE",
            group=Group.REQUEST,
        ),
    ] = None,
    data: Annotated[
        str | None,
        option(
            "--data",
            "The request's body; @FILE reads it from a file, @- from standard input. JSON is sent as such.",
            "-d",
            metavar="DATA",
            group=Group.REQUEST,
        ),
    ] = None,
    from_curl: Annotated[
        str | None,
        option(
            "--from-curl",
            'The request as a browser\'s "Copy as cURL" gives it, in a file, or - for standard input.',
            metavar="FILE",
            group=Group.REQUEST,
        ),
    ] = None,
    bearer_env: Annotated[
        str | None,
        option(
            "--token-env",
            "The environment variable that holds a bearer token.",
            old="--bearer-env",
            metavar="NAME",
            group=Group.REQUEST,
        ),
    ] = None,
    http2: Annotated[
        bool | None,
        option(
            "--http2/--no-http2", "Offer HTTP/2 (over TLS), or not.", group=Group.REQUEST, show_default=False
        ),
    ] = None,
    insecure: Annotated[
        bool, option("--insecure", "Accept any certificate.", "-k", group=Group.REQUEST)
    ] = False,
    cacert: Annotated[
        str | None,
        option(
            "--cacert",
            "Trust the certificates in this PEM file, not the machine's; SSL_CERT_FILE does the same.",
            metavar="FILE",
            group=Group.REQUEST,
        ),
    ] = None,
) -> Request:
    """What the options say.

    Raises:
        KitError: BAD_USAGE, one of them is not right, or they contradict each other.
    """
    import re

    given = {"--method": method, "--header": header, "--data": data, "--token-env": bearer_env}
    says = tuple(name for name, value in given.items() if value)
    if from_curl is not None:
        if says:
            raise UsageError(
                f"--from-curl says the whole request, and so does {says[0]}.",
                "Leave that out, and change the copied command instead.",
            )
        return _copied(from_curl, http2, insecure, cacert)
    if method and not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", method):  # RFC 9110, 5.6.2
        raise UsageError(f"{method!r} is no method.", "Give one, as in --method POST.")
    headers = [*map(_header, _lines(header or [])), *_bearer(bearer_env)]
    body = None if data is None else _body(data)
    if body is not None and not any(name.lower() == "content-type" for name, _ in headers):
        headers += _media_type(body)
    return Request((method or "").upper() or None, tuple(headers), body, None, http2, insecure, cacert, says)


def _trusting(request: Request) -> AbstractContextManager[None]:
    from kit.probe.tls import Trust, trusting

    return trusting(Trust(request.insecure, request.cacert))


def by_itself(url: str) -> str:
    """What a URL is called that has no name: its host and path, without what may hold a key."""
    from kit.probe.http_errors import shown

    return shown(url).partition("://")[2].removesuffix("/") or "that address"


OPTIONS = options_of(_read)
with_request = packed("request", _read, _trusting)


def _lines(headers: list[str]) -> list[str]:
    import os

    variable = os.environ.get("KIT_HEADER", "")
    if headers == variable.split():  # typer splits it at white space, which most headers have
        return [line for line in variable.splitlines() if line.strip()]
    return headers


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    named = name.strip().isascii() and name.strip().replace("-", "").replace("_", "").isalnum()
    if not colon or not named or any(ord(c) < 32 or ord(c) == 127 for c in value.strip()):
        raise UsageError(
            f"{name.strip()[:40]!r} is no header.",
            "Write it as NAME: VALUE, for example --header 'Accept: text/event-stream'.",
        )
    return name.strip(), value.strip()


def _bearer(variable: str | None) -> Headers:
    import os
    import re

    if variable is None:
        return ()
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise UsageError(
            "--token-env is given what is no variable's name.",
            "Give the name, and the token in that variable: export TOKEN=…, then --token-env TOKEN.",
        )
    token = os.environ.get(variable, "").strip()
    if not token:
        raise UsageError(
            f"The variable {variable} holds no token.",
            f"Set it, for example: export {variable}=$(gcloud auth print-identity-token)",
        )
    return (_header(f"authorization: Bearer {token}"),)


def _body(data: str) -> bytes:
    """The data, or what is in the file that it names."""
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    return _contents(data[1:], "--data @FILE reads the body from a file, @- from standard input.")


def _media_type(body: bytes) -> Headers:
    """What the body is by its looks: JSON, or a form as curl sends it.

    Raises:
        KitError: BAD_USAGE, it begins like JSON and is none.
    """
    import json
    import re

    try:
        is_json = isinstance(json.loads(body), dict | list)
    except (ValueError, RecursionError) as error:
        is_json = False
        if re.match(rb"\s*[{\[]", body):
            raise UsageError(
                f"--data begins like JSON and is none: {str(error)[:100]}.",
                'In a shell put it into single quotes: -d \'{"q": "why"}\'. What is no JSON needs a type: '
                "--header 'Content-Type: …'.",
            ) from None
    if is_json:
        return (("content-type", "application/json"),)
    form = re.fullmatch(rb"[^\s=&]+=[^\s&]*(&[^\s=&]+=[^\s&]*)*", body)
    return (("content-type", "application/x-www-form-urlencoded"),) if form else ()


def _copied(file: str, http2: bool | None, insecure: bool, cacert: str | None) -> Request:
    """What a copied command says, and options beside it; warns of what in it was passed over."""
    from kit.probe.curl import read_curl

    hint = 'Paste what "Copy as cURL" gave into a file and name that, or pipe it in: --from-curl -'
    try:
        given = file.lstrip().startswith(("curl ", "$ curl "))  # the command itself, and no file with it
        text = file if given else _contents(file, hint).decode("utf-8")
    except ValueError:
        raise UsageError(f"{file} cannot be read: it is no text.", hint) from None
    copied = read_curl(text)
    for warning in copied.warnings:
        talk(f"warning: {warning}")
    ask = copied.ask
    return Request(
        ask.method,
        ask.headers,
        ask.body,
        ask.url,
        copied.http2 or None if http2 is None else http2,
        insecure or copied.insecure,
        cacert or copied.cacert,
        ("--from-curl",),
    )


def _contents(file: str, hint: str) -> bytes:
    """What is in a file, or comes on standard input for `-`."""
    import sys
    from pathlib import Path

    try:
        if file != "-":
            return Path(file).read_bytes()
        return sys.stdin.buffer.read() if hasattr(sys.stdin, "buffer") else sys.stdin.read().encode()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it has no such name"
        raise UsageError(f"{file} cannot be read: {why}.", hint) from None

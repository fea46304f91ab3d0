"""A curl command (a browser's "Copy as cURL", or one written by hand) as the request that it would send.

What shapes the request is taken over, what only shapes curl's output is passed over, and what neither the
kit nor its way of asking can do is refused by name. No error shows a value: it may be a token.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

from kit.errors import KitError
from kit.probe.address import checked
from kit.probe.client import Ask
from kit.probe.shell import refused, words

_LONG = {
    "#": "progress-bar", "0": "http1.0", "1": "tlsv1", "4": "ipv4", "6": "ipv6", "A": "user-agent",
    "D": "dump-header", "E": "cert", "F": "form", "G": "get", "H": "header", "I": "head", "K": "config",
    "L": "location", "N": "no-buffer", "O": "remote-name", "S": "show-error", "T": "upload-file",
    "X": "request", "Y": "speed-limit", "Z": "parallel", "b": "cookie", "c": "cookie-jar", "d": "data",
    "e": "referer", "f": "fail", "g": "globoff", "i": "include", "j": "junk-session-cookies", "k": "insecure",
    "m": "max-time", "n": "netrc", "o": "output", "q": "disable", "r": "range", "s": "silent", "u": "user",
    "v": "verbose", "w": "write-out", "x": "proxy", "y": "speed-time",
}  # fmt: skip

# What has a value and shapes the request.
_TAKEN = (
    "cacert", "cookie", "data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "header", "json",
    "oauth2-bearer", "range", "referer", "request", "url", "url-query", "user", "user-agent",
)  # fmt: skip

# What has a value and does not shape the request.
_PASSED_OVER_WITH_VALUE = (
    "ciphers", "connect-timeout", "cookie-jar", "curves", "dump-header", "expect100-timeout",
    "happy-eyeballs-timeout-ms", "keepalive-time", "limit-rate", "max-filesize", "max-redirs", "max-time",
    "output", "output-dir", "parallel-max", "proto", "proto-redir", "retry", "retry-delay",
    "retry-max-time", "speed-limit", "speed-time", "stderr", "tls-max", "tls13-ciphers", "trace",
    "trace-ascii", "trace-config", "write-out",
)  # fmt: skip

# The same without a value; each may also come as --no-….
_PASSED_OVER = (
    "alpn", "basic", "buffer", "disable", "fail", "fail-early", "fail-with-body", "globoff", "http0.9",
    "http1.0", "http1.1", "include", "ipv4", "ipv6", "junk-session-cookies", "keepalive", "location",
    "no-buffer", "parallel", "parallel-immediate", "path-as-is", "post301", "post302", "post303",
    "progress-bar", "progress-meter", "raw", "remote-name", "remote-name-all", "retry-all-errors",
    "retry-connrefused", "show-error", "show-headers", "silent", "ssl-no-revoke", "styled-output",
    "tcp-fastopen", "tcp-nodelay", "tlsv1", "tlsv1.0", "tlsv1.1", "tlsv1.2", "tlsv1.3", "trace-ids",
    "trace-time", "verbose",
)  # fmt: skip

_HTTP2 = ("http2", "http2-prior-knowledge", "http3", "http3-only")

# What changes the request in a way that the kit has not, and what to do instead.
_OWN_SIGN_IN = "Leave it out and give what the server wants as a header: -H 'Authorization: …'."
_OTHER_WAY = "Leave it out; the kit asks the address as it stands, by the machine's own names and routes."
_FORM = (
    "Give the finished body with --data-binary and its -H 'Content-Type: multipart/form-data; boundary=…'."
)
_CERTIFICATE = "Leave it out; --cacert names certificates to trust, and the kit shows none of its own."
_REFUSED = {
    "head": "Leave it out: the answer to a HEAD has no body that could stream.",
    "form": _FORM,
    "form-string": _FORM,
    "upload-file": "Give the body itself with --data-binary, and -X PUT.",
    "config": "Write its options into the command.",
    "next": "Give one command for one request.",
    "proxy": "Leave it out and set the variable https_proxy or http_proxy.",
    "noproxy": "Leave it out and set the variable no_proxy.",
    "cert": _CERTIFICATE,
    "key": _CERTIFICATE,
    "capath": _CERTIFICATE,
    "pinnedpubkey": _CERTIFICATE,
    **dict.fromkeys(
        ("anyauth", "aws-sigv4", "digest", "negotiate", "netrc", "netrc-file", "netrc-optional", "ntlm"),
        _OWN_SIGN_IN,
    ),
    **dict.fromkeys(
        ("abstract-unix-socket", "connect-to", "interface", "request-target", "resolve", "unix-socket"),
        _OTHER_WAY,
    ),
}

# Of one connection or one message, not of the request: they would be wrong in ours (RFC 9110, 7.6.1).
_NOT_CARRIED = (
    "authority", "connection", "content-length", "expect", "http2-settings", "keep-alive",
    "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
)  # fmt: skip
_READ = ("gzip", "x-gzip", "deflate", "br", "zstd", "identity")  # what `kit.probe.coding` undoes

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
_OPTION = re.compile(r"--[a-z][a-z0-9.-]{0,39}")


@dataclass(frozen=True, slots=True)
class FromCurl:
    """What a curl command says.

    Attributes:
        ask: the request. It may hold a token, and is not shown.
        http2: whether it wants HTTP/2 (or 3, which the kit does not speak).
        warnings: what of it is not done, a sentence each, without a value.
        insecure: whether it accepts any certificate.
        cacert: the file of the authorities that it trusts.
    """

    ask: Ask = field(repr=False)
    http2: bool = False
    warnings: tuple[str, ...] = ()
    insecure: bool = False
    cacert: str | None = None


def read_curl(text: str) -> FromCurl:
    """What a curl command says, as it was copied or typed for bash.

    A header that only the connection or the message's framing is concerned with is left out, and so is a
    Host that says what the address says. Of an Accept-Encoding stays what the kit can undo. A header that
    the command takes away (`-H 'Accept:'`) is none of the command's, but the kit's own is sent all the same.

    Raises:
        KitError: BAD_USAGE, with nothing of the command's values in it.
    """
    for other, name in (("Invoke-WebRequest", "PowerShell"), ("fetch(", "JavaScript")):
        if text.lstrip().startswith((other, "$session")):
            raise refused(f"is in {name}.", 'Choose "Copy as cURL (bash)" in the browser\'s menu.')
    given = words(text)
    if given[:1] == ["$"]:  # a prompt that was copied too
        del given[0]
    if not given or not re.fullmatch(r"(?:.*[/\\])?curl(?:\.exe)?", given[0], re.IGNORECASE | re.DOTALL):
        raise refused("does not begin with curl.", 'Choose "Copy as cURL (bash)" in the browser\'s menu.')
    line = _Line()
    for option, value in _options(given[1:]):
        line.take(option, value)
    return line.said()


def is_option(option: str) -> bool:
    """Whether curl has this option, as far as the kit knows curl's."""
    name = option.lstrip("-")
    return name in (_LONG if not option.startswith("--") else (*_LONG.values(), *_TAKEN, *_REFUSED))


def _options(given: list[str]) -> Iterator[tuple[str, str]]:
    """Each option by its long name, with its value ("" without one); an address is its option `url`."""
    rest = iter(given)
    only_addresses = False
    for word in rest:
        if only_addresses or not word.startswith("-") or word == "-":
            yield "url", word
        elif word == "--":
            only_addresses = True
        elif word.startswith("--"):
            name = word[2:]
            yield name, _value(word, rest) if _has_value(name, word) else ""
        else:
            for place, letter in enumerate(word[1:], 2):
                shown = f"-{letter}" if letter.isascii() and letter.isalnum() else "one of its short options"
                name = _LONG.get(letter, "")
                if _has_value(name, shown):
                    yield name, word[place:] or _value(shown, rest)
                    break
                yield name, ""


def _has_value(name: str, shown: str) -> bool:
    """Whether an option has one; refuses those that the kit cannot follow."""
    if name in _TAKEN or name in _PASSED_OVER_WITH_VALUE:
        return True
    if name in _REFUSED:
        raise refused(f"has --{name}, which the kit cannot follow.", _REFUSED[name])
    flags = (*_PASSED_OVER, *_HTTP2, "get", "compressed", "insecure", "location-trusted")
    if name not in flags and name.removeprefix("no-") not in flags:
        known = _OPTION.match(shown) or re.fullmatch(r"-[A-Za-z0-9]", shown)
        raise refused(
            f"has {known[0] if known else 'an option'} in it, which the kit does not know.",
            "Leave it out if the request does not need it, or give the request by options of the kit's own.",
        )
    return False


def _value(shown: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise refused(f"ends with {shown}, whose value is missing.", "Copy the whole command, to its end.")
    return value


class _Line:
    """One command's options, taken in one after another."""

    def __init__(self) -> None:
        self._urls: list[str] = []
        self._method = ""
        self._headers: list[tuple[str, str]] = []
        self._removed: set[str] = set()
        self._implied: dict[str, str] = {}  # headers that an option stands for
        self._data: list[bytes] = []
        self._has_data = self._json = self._get = self._http2 = False
        self._query: list[bytes] = []
        self._cookies: list[str] = []
        self._warnings: list[str] = []
        self._insecure = False
        self._cacert: str | None = None

    def take(self, option: str, value: str) -> None:
        """Take in one option by its long name."""
        match option:
            case "url":
                self._urls.append(value)
            case "request":
                self._method = _method(value)
            case "header":
                self._header(value)
            case "data" | "data-ascii" | "data-binary" | "data-raw":
                self._add_data(_bytes(option, value), b"&")
            case "data-urlencode":
                self._add_data(_urlencoded(option, value), b"&")
            case "json":
                self._json = True
                self._add_data(_bytes(option, value), b"")
            case "url-query":
                plain = value.startswith("+")
                self._query.append(_octets(value[1:]) if plain else _urlencoded(option, value))
            case "get":
                self._get = True
            case "cookie":
                if "=" not in value:
                    raise refused(
                        "reads cookies from a file (-b).", "Write them: -b 'NAME=VALUE; NAME=VALUE'."
                    )
                self._cookies.append(value.strip("; \t"))
            case "user":
                self._implied["authorization"] = _basic(value)
            case "oauth2-bearer":
                self._implied["authorization"] = f"Bearer {value}"
            case "user-agent":
                self._implied["user-agent"] = value
            case "referer":
                self._implied["referer"] = value.removesuffix(";auto")
            case "range":
                self._implied["range"] = f"bytes={value}"
            case "compressed":
                self._implied["accept-encoding"] = "deflate, gzip, br, zstd"
            case "insecure":
                self._insecure = True
            case "cacert":
                self._cacert = value
            case "location-trusted":
                self._warn("--location-trusted is left out: credentials stay with the address they are for.")
            case _ if option in _HTTP2:
                self._http2 = True
                if option.startswith("http3"):
                    self._warn(f"--{option} is left out: the kit speaks HTTP/1.1 and HTTP/2.")
            case "http1.0" | "http1.1":
                self._http2 = False

    def said(self) -> FromCurl:
        """All of it together."""
        url, has_query = self._url(), bool(self._query)
        body = b"".join(self._data) if self._has_data else None
        if self._get and body is not None:
            self._query.append(body)
            body, has_query = None, True
        if has_query:
            url = _with_query(url, [part for part in self._query if part])
        if body is not None:
            kind = "application/json" if self._json else "application/x-www-form-urlencoded"
            self._implied.setdefault("content-type", kind)
        if self._json:
            self._implied.setdefault("accept", "application/json")
        if self._cookies:
            self._implied["cookie"] = "; ".join(self._cookies)
        _check_address(url)
        host = re.sub(r"^[^/]*//(?:[^/?#]*@)?([^/?#]*).*", r"\1", url, flags=re.DOTALL)
        headers = [pair for pair in self._headers if pair != ("host", host.lower())]
        named = {name.lower() for name, _ in headers} | self._removed
        headers += [
            (name, _field(value))
            for name, value in self._implied.items()
            if name not in named and (value or name == "authorization")
        ]
        method = self._method or ("GET" if body is None else "POST")
        ask = Ask(method, url, tuple(headers), body)
        return FromCurl(ask, self._http2, tuple(self._warnings), self._insecure, self._cacert)

    def _url(self) -> str:
        if len(self._urls) != 1:
            raise refused(
                "names no address." if not self._urls else "has more than one address, or a word too many.",
                "Give one address, and put each value that has blanks in it into quotes.",
            )
        url = self._urls[0]
        return url if "://" in url else f"http://{url}"

    def _header(self, line: str) -> None:
        if line.startswith("@"):
            raise refused("reads headers from a file (-H @…).", "Write each one: -H 'NAME: VALUE'.")
        pseudo = line.startswith(":")
        name, colon, value = line.lstrip(":").partition(":")
        if not colon and name.rstrip().endswith(";"):  # curl's way to write an empty one
            name, colon, value = name.rstrip()[:-1], ";", ""
        if not colon:
            self._warn("A header without a colon is left out, as curl leaves it out.")
            return
        name, value = name.strip(" \t"), _field(value)
        if not _TOKEN.fullmatch(name):
            raise refused("has a header whose name is none.", "Write it as -H 'NAME: VALUE'.")
        low = name.lower()
        if colon == ":" and not value:
            self._removed.add(low)
        elif pseudo or low in _NOT_CARRIED:
            pass
        elif low == "host":
            self._headers.append(("host", value.lower()))
        elif low == "accept-encoding":
            self._headers.append((name, _coding(value)))
        else:
            self._headers.append((name, value))

    def _add_data(self, piece: bytes, between: bytes) -> None:
        if self._has_data:
            self._data.append(between)
        self._data.append(piece)
        self._has_data = True

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warnings:
            self._warnings.append(sentence)


def _method(value: str) -> str:
    if not _TOKEN.fullmatch(value) or value.upper() in ("CONNECT", "HEAD", "TRACE"):
        raise refused("has a method (-X) that no stream answers.", "Give one that does, as in -X POST.")
    return value


def _octets(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _bytes(option: str, value: str) -> bytes:
    if value.startswith("@") and option != "data-raw":
        raise _from_file(option)
    return _octets(value)


def _urlencoded(option: str, value: str) -> bytes:
    """`content`, `=content` or `name=content`: the content percent-encoded, the name as it is."""
    name, equals, content = value.partition("=")
    if not equals:
        name, content = "", value
        if "@" in value:
            raise _from_file(option)
    return _octets(name) + (b"=" if name else b"") + quote_from_bytes(_octets(content), safe="").encode()


def _from_file(option: str) -> KitError:
    return refused(
        f"reads its data from a file (--{option} @…), which the kit does not open.",
        "Write the data itself: --data-raw '…'.",
    )


def _basic(value: str) -> str:
    if ":" not in value:
        raise refused("names a user without a password (-u).", "Write -u 'USER:PASSWORD'.")
    return f"Basic {b64encode(_octets(value)).decode()}"


def _coding(value: str) -> str:
    """An Accept-Encoding without what the kit cannot undo."""
    wanted = [part.strip() for part in value.split(",")]
    return ", ".join(part for part in wanted if part.partition(";")[0].strip().lower() in _READ) or "identity"


def _field(value: str) -> str:
    """A header's value as it may be sent."""
    value = value.strip(" \t")
    if any(ord(char) < 32 and char != "\t" for char in value) or "\x7f" in value or not _is_text(value):
        raise refused(
            "has a header whose value has a control character or is not UTF-8.", "Write the header anew."
        )
    return value


def _is_text(value: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in value)


def _with_query(url: str, parts: list[bytes]) -> str:
    before, mark, fragment = url.partition("#")
    more = b"&".join(parts).decode("utf-8", "surrogateescape")
    joint = "" if before.endswith(("?", "&")) else "&" if "?" in before else "?"
    return before + (joint + more if more else "") + mark + fragment


def _check_address(url: str) -> None:
    try:
        checked(url)
        fine = _is_text(url) and not any(ord(char) < 32 or char == "\x7f" for char in url)
    except KitError:
        fine = False
    if not fine:
        raise refused(
            "has no address that can be asked.",
            "Give a whole one in quotes, as in 'https://example.com/search'.",
        )

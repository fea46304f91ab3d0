"""A curl command as a request, held against curl itself; and nothing of its values in any error."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.errors import Code, Exit, KitError
from kit.probe.client import Ask, Client
from kit.probe.curl import read_curl

CURL, BASH = shutil.which("curl"), shutil.which("bash")
OWN = {"user-agent", "accept", "accept-encoding"}
SECRET = "sk-5ecret"

CHROMIUM = r"""
curl 'https://example.com/api/chat?trace=1' \
  -H 'accept: text/event-stream' \
  -H 'accept-language: de-DE,de;q=0.9' \
  -H 'authority: example.com' \
  -H 'authorization: Bearer sk-5ecret' \
  -H 'content-type: application/json' \
  -b 'session=abc; theme=dark' \
  -H 'priority: u=1, i' \
  -H 'sec-ch-ua: "Chromium";v="140", "Not A(Brand";v="99"' \
  -H 'user-agent: Mozilla/5.0 (X11; Linux x86_64)' \
  --data-raw $'{"messages":[{"role":"user","content":"It\'s \u0021 \\n"}],"stream":true}' ;
"""

FIREFOX = r"""curl 'https://example.com/stream' \
  --compressed \
  -X POST \
  -H 'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' \
  -H 'Accept: */*' \
  -H 'Accept-Encoding: gzip, deflate, br, zstd' \
  -H 'Connection: keep-alive' \
  -H 'Content-Length: 3' \
  -H 'TE: trailers' \
  -H 'Host: example.com' \
  --data-raw 'a=b'"""

SAFARI = r"""curl 'https://example.com/stream' \
-X 'GET' \
-H 'Accept: text/event-stream' \
-H 'Host: example.com' \
-H ':authority: example.com' \
-H 'Accept-Encoding: br'"""


def headers(ask: Ask) -> dict[str, str]:
    return {name.lower(): value for name, value in ask.headers}


def refusal(line: str) -> KitError:
    with pytest.raises(KitError) as caught:
        read_curl(line)
    assert (caught.value.code, caught.value.exit) == (Code.BAD_USAGE, Exit.USAGE)
    assert caught.value.hint
    return caught.value


def test_chromiums_copy() -> None:
    ask = read_curl(CHROMIUM).ask
    assert (ask.method, ask.url) == ("POST", "https://example.com/api/chat?trace=1")
    assert ask.body is not None
    assert json.loads(ask.body)["messages"][0]["content"] == "It's ! \n"
    sent = headers(ask)
    assert sent["cookie"] == "session=abc; theme=dark"
    assert sent["authorization"] == "Bearer sk-5ecret"
    assert sent["sec-ch-ua"] == '"Chromium";v="140", "Not A(Brand";v="99"'
    assert "authority" not in sent


def test_firefoxs_copy() -> None:
    ask = read_curl(FIREFOX).ask
    assert (ask.method, ask.body) == ("POST", b"a=b")
    sent = headers(ask)
    assert sent["accept-encoding"] == "gzip, deflate, br, zstd"
    assert sent["content-type"] == "application/x-www-form-urlencoded"
    assert not sent.keys() & {"connection", "content-length", "te", "host"}


def test_safaris_copy() -> None:
    ask = read_curl(SAFARI).ask
    assert (ask.method, ask.body) == ("GET", None)
    assert headers(ask) == {"accept": "text/event-stream", "accept-encoding": "br"}


def test_a_copy_for_cmd_is_refused_with_the_way_to_one_for_bash() -> None:
    for line in ('curl ^"https://example.com/?a=1^&b=2^"', 'curl "https://example.com/" ^\n  -k'):
        error = refusal(line)
        assert error.message == "The command is quoted for cmd."
        assert "Copy as cURL (bash)" in error.hint


@pytest.mark.parametrize(
    ("rest", "method", "target", "body"),
    [
        ("-d a=1 -d b=2 --data-raw @c", "POST", "/x?q=1", b"a=1&b=2&@c"),
        ("-da=1 -XPUT", "PUT", "/x?q=1", b"a=1"),
        ("-d ''", "POST", "/x?q=1", b""),
        ("-d '' -d b", "POST", "/x?q=1", b"&b"),
        ("-G -d a=1 --data-urlencode 'b=x y&z'", "GET", "/x?q=1&a=1&b=x%20y%26z", b""),
        ("--get --data-urlencode '=a=b'", "GET", "/x?q=1&a%3Db", b""),
        ("--data-urlencode ü", "POST", "/x?q=1", b"%C3%BC"),
        ("--json '{\"a\":' --json '1}'", "POST", "/x?q=1", b'{"a":1}'),
        (r"--data-binary $'\x01a'", "POST", "/x?q=1", b"\x01a"),
        (r"--data-binary $'\xff\n'", "POST", "/x?q=1", b"\xff\n"),
        ("-sSNL -H A:b -HC:d -H 'E;' -H 'Accept:'", "GET", "/x?q=1", b""),
        ("-sNXPATCH --data x -H 'Content-Type: text/plain'", "PATCH", "/x?q=1", b"x"),
        ("-u user:pa:ss -A agent -e http://from/ -b 'a=1; b=2' -b c=3", "GET", "/x?q=1", b""),
        ("-u user:pass -H 'Authorization: Bearer mine'", "GET", "/x?q=1", b""),
        ("--compressed -r 0-99 --oauth2-bearer t", "GET", "/x?q=1", b""),
        ("-d x -H 'content-type:'", "POST", "/x?q=1", b"x"),
        ("-H 'Host: other.example'", "GET", "/x?q=1", b""),
        ("-i -v --http1.1 --no-progress-meter -m 20 -o /dev/null --no-buffer", "GET", "/x?q=1", b""),
        ("-H 'X: tab\tin it ' -H 'x: again'", "GET", "/x?q=1", b""),
    ],
)
def test_it_is_the_request_that_curl_sends(rest: str, method: str, target: str, body: bytes) -> None:
    by_us, by_curl = asyncio.run(sent(f"'URL/x?q=1' {rest}"))
    assert (by_us.line, by_us.body) == (f"{method} {target} HTTP/1.1", body)
    if by_curl is not None:
        # Of two ways to write the same, curl's is not always the later RFC's.
        assert by_curl.line.lower().replace("+", "%20") == by_us.line.lower()
        assert by_curl.body == by_us.body
        # What each says of itself is its own; the rest is the command's.
        said = {name for name, _ in by_us.headers} & {name for name, _ in by_curl.headers}
        assert [pair for pair in by_us.headers if pair[0] in said - OWN] == [
            pair for pair in by_curl.headers if pair[0] in said - OWN
        ]
        assert {name for name, _ in by_us.headers} ^ {name for name, _ in by_curl.headers} <= OWN


@pytest.mark.parametrize(
    ("rest", "name", "value"),
    [
        ("-A mine", "user-agent", "mine"),
        ("-H 'Accept: a/b'", "accept", "a/b"),
        ("--json 1", "accept", "application/json"),
        ("--compressed", "accept-encoding", "deflate, gzip, br, zstd"),
        ("--compressed -H 'Accept-Encoding: dcb, gzip;q=0.5'", "accept-encoding", "gzip;q=0.5"),
        ("-H 'Accept-Encoding: dcb'", "accept-encoding", "identity"),
        ("-H 'Host: Other.example'", "host", "other.example"),
        ("-u 'user:pä:ss'", "authorization", "Basic dXNlcjpww6Q6c3M="),
        ("--oauth2-bearer t", "authorization", "Bearer t"),
        ("-H 'authority: h' -H ':path: /' -H 'X: y'", "x", "y"),
    ],
)
def test_headers_that_an_option_stands_for(rest: str, name: str, value: str) -> None:
    assert headers(read_curl(f"curl h/ {rest}").ask) | {name: value} == headers(
        read_curl(f"curl h/ {rest}").ask
    )


class Sent(NamedTuple):
    """One request as it arrived; header names in lower case, sorted."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes


async def sent(rest: str) -> tuple[Sent, Sent | None]:
    """What a command sends by the kit, and by curl itself in bash (None where one of them is missing)."""
    seen: list[Sent] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line, *raw = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            pairs = [(name.lower(), value.strip()) for name, _, value in (one.partition(":") for one in raw)]
            pairs = [(name, value.replace("; ", ";") if name == "cookie" else value) for name, value in pairs]
            body = await reader.readexactly(int(dict(pairs).get("content-length", "0")))
            seen.append(Sent(line, sorted(pairs), body))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, Client() as client:
        line = rest.replace("URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with client.stream(read_curl(f"curl {line}").ask):
            pass
        if CURL is None or BASH is None:
            return seen[0], None
        process = await asyncio.create_subprocess_exec(
            BASH, "--norc", "--noprofile", "-c", f"exec {CURL} -q -s {line}", env={"LC_ALL": "C.UTF-8"}
        )
        assert await asyncio.wait_for(process.wait(), 30) == 0
        return seen[0], seen[1]


def test_what_is_not_done_is_said() -> None:
    read = read_curl("curl --http3 --location-trusted -H nonsense h/")
    assert read.http2
    assert len(read.warnings) == 3
    assert not any("nonsense" in sentence for sentence in read.warnings)
    assert not read_curl("curl --http2 --http1.1 h/").http2
    assert "secret" not in repr(read_curl(f"curl -H 'a: {SECRET}' h/"))


def test_whom_curl_trusts_is_taken_over() -> None:
    assert not read_curl("curl h/").insecure
    assert read_curl("curl -sk h/").insecure
    assert read_curl("curl --cacert ca.pem h/").cacert == "ca.pem"


def test_a_pipe_and_a_prompt_and_other_files_do_not_matter() -> None:
    assert read_curl("$ /usr/bin/curl -N h/x 2>/dev/null | jq .").ask == Ask("GET", "http://h/x")
    assert read_curl("curl.exe -- h/x").ask == Ask("GET", "http://h/x")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (f"wget {SECRET}", "curl"),
        ("", "curl"),
        (f"Invoke-WebRequest -Uri {SECRET}", "PowerShell"),
        (f"$session = {SECRET}", "PowerShell"),
        (f"fetch('{SECRET}')", "JavaScript"),
        (f"curl -H 'a: {SECRET}'", "no address"),
        (f"curl -H Authorization: Bearer {SECRET} h/", "more than one address"),
        (f"curl ftp://{SECRET}", "address"),
        (f"curl 'http://h/\n{SECRET}'", "address"),
        (f"curl 'http://h:{SECRET}/'", "address"),
        (f"curl h/ --frobnicate={SECRET}", "--frobnicate"),
        (f"curl h/ --{SECRET}=b", "--sk-5ecret"),
        (f"curl h/ -sP{SECRET}", "-P"),
        (f"curl h/ -s{chr(233)}{SECRET}", "an option"),
        ("curl h/ -H", "-H"),
        ("curl h/ -sX", "-X"),
        ("curl h/ --data", "--data"),
        (f"curl h/ -d @{SECRET}", "--data-raw"),
        (f"curl h/ --json @{SECRET}", "--data-raw"),
        (f"curl h/ --data-binary @{SECRET}", "--data-raw"),
        (f"curl h/ --data-urlencode a@{SECRET}", "--data-raw"),
        (f"curl h/ -H @{SECRET}", "-H"),
        (f"curl h/ -b {SECRET}", "-b"),
        (f"curl h/ -u {SECRET}", "-u"),
        (f"curl h/ -H 'a b: {SECRET}'", "-H"),
        (f"curl h/ -H $'a: {SECRET}\\nb: c'", "header"),
        (f"curl h/ -A $'{SECRET}\\xff'", "header"),
        (f"curl h/ -X '{SECRET} b'", "-X"),
        ("curl h/ -X HEAD", "-X"),
        ("curl h/ -I", "--head"),
        (f"curl h/ -F a={SECRET}", "--form"),
        (f"curl h/ -x {SECRET}", "--proxy"),
        (f"curl h/ -E {SECRET}", "--cert"),
        (f"curl h/ --resolve {SECRET}", "--resolve"),
        (f"curl h/ --digest -u a:{SECRET}", "--digest"),
    ],
)
def test_what_cannot_be_followed_is_named_and_no_value_shown(line: str, names: str) -> None:
    refused = refusal(line)
    assert names in refused.message + refused.hint
    if "--sk" not in names:
        assert SECRET not in refused.message + refused.hint


FIELD = st.text(st.characters(exclude_categories=["Cs", "Cc"])).map(lambda text: text.strip(" \t"))
NAMES = st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", fullmatch=True).map("X-{}".format)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(
    st.from_regex(r"[A-Z]{1,10}", fullmatch=True).filter(lambda one: one not in ("HEAD", "TRACE", "CONNECT")),
    st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    st.lists(st.tuples(NAMES, FIELD)),
    st.none() | TEXTS,
    st.booleans(),
)
@example("GET", "a b ", [], None, False)
@example("POST", "a'b\\\"$(id)`id`&|;^", [("X-a", "'\"\\$`;"), ("X-b", "")], "'\n^\n\"@", True)
def test_a_request_that_is_quoted_for_a_shell_is_read_back(
    method: str, query: str, pairs: list[tuple[str, str]], body: str | None, glued: bool
) -> None:
    url = f"https://example.com/x?{query}"
    argv = ["curl", url, *([f"-X{method}"] if glued else ["--request", method])]
    for name, value in pairs:
        line = f"{name}: {value}" if value else f"{name};"
        argv += [f"-H{line}"] if glued else ["--header", line]
    argv += [] if body is None else ["--data-raw", body]
    ask = read_curl(" \\\n  ".join(map(shlex.quote, argv))).ask
    assert (ask.method, ask.url) == (method, url)
    assert ask.body == (None if body is None else body.encode())
    mine = [] if body is None else [("content-type", "application/x-www-form-urlencoded")]
    assert list(ask.headers) == [*pairs, *mine]


@given(TEXTS, TEXTS)
def test_what_is_percent_encoded_says_the_same(name: str, content: str) -> None:
    body = read_curl(shlex.join(["curl", "h/", "--data-urlencode", f"={content}"])).ask.body
    assert body is not None
    assert unquote_to_bytes(body) == content.encode()
    url = read_curl(shlex.join(["curl", "h/", "-G", "--data-urlencode", f"n={content}"])).ask.url
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == [("n", content)]


WORDS = st.sampled_from([
    "-H", "-d", "-X", "-b", "-u", "-G", "--json", "--url", "--data-urlencode", "-sS", "h/", "http://h/",
    "a: b", ":a", "@f", "=", ";", "''", "'", '"', "$'\\x'", "\\", "^", "\n", "--", "-", "--x=y", "[::1",
    "é:é",
])  # fmt: skip


@given(st.one_of(st.text(), st.lists(WORDS | st.text(max_size=5)).map(" ".join)))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    for line in (text, f"curl {text}", f"curl http://h/ {text}"):
        with suppress(KitError):
            read_curl(line)


def test_what_is_accepted_can_be_sent() -> None:
    pairs = "-H 'X: ü' -H $'Y: a\\tb' -A '你好' -b 'a=🌊' -d 'ä'"
    by_us, by_curl = asyncio.run(sent(f"'URL/ü?ü=üü' {pairs}"))
    assert by_us.line == "POST /%C3%BC?%C3%BC=%C3%BC%C3%BC HTTP/1.1"
    assert by_curl is None or {"ü", "a\tb", "a=🌊"} <= {value for _, value in by_curl.headers}
    assert {"ü", "a\tb", "a=🌊", "你好"} <= {value for _, value in by_us.headers}


def test_an_addition_to_the_query_is_none_to_the_fragment() -> None:
    line = "curl 'h/?a=1#end' --url-query 'b=x y' --url-query +c=%20 -G -d d"
    assert read_curl(line).ask.url == "http://h/?a=1&b=x%20y&c=%20&d#end"

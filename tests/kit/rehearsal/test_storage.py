"""Uploads come out as they went in, whichever of its three ways gcloud takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.rehearsal.archives import from_manifest
from kit.rehearsal.faults import Faults
from kit.rehearsal.router import Router
from kit.rehearsal.storage import Storage
from kit.rehearsal.wire import ApiError, Request, Response
from tests.fixtures.tools import Tool

HOST = "storage.googleapis.com"
UPLOAD = "/upload/storage/v1/b/bucket/o"


class Client:
    """What gcloud would send."""

    def __init__(self) -> None:
        self.storage = Storage()
        self.storage.create("bucket")
        self.router = Router(Faults())
        self.storage.register(self.router)

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        path, _, query = path.partition("?")
        parameters = dict(pair.split("=") for pair in query.split("&")) if query else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.router.answer(Request(method, HOST, path, parameters, named, body))


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest) -> Client:
    tool: Tool = request.getfixturevalue("tool")
    tool("gcloud")
    return Client()


@given(data=st.binary(max_size=200), newline=st.sampled_from([b"\n", b"\r\n"]), quote=st.sampled_from("'\""))
def test_a_multipart_upload_keeps_every_byte(client: Client, data: bytes, newline: bytes, quote: str) -> None:
    lines = [
        b"--===boundary==",
        b"Content-Type: application/json",
        b"MIME-Version: 1.0",
        b"",
        b'{"size": "1"}',
        b"--===boundary==",
        b"Content-Type: text/plain",
        b"Content-Transfer-Encoding: binary",
        b"",
        data,
        b"--===boundary==--",
    ]
    content_type = f"multipart/related; boundary={quote}===boundary=={quote}"
    target = f"{UPLOAD}?uploadType=multipart&name=file"
    answer = client.send("POST", target, newline.join(lines), content_type=content_type)
    assert answer.status == 200
    assert answer.body["size"] == str(len(data))
    assert client.storage.read("bucket", "file") == data
    assert client.storage.buckets["bucket"].objects["file"].content_type == "text/plain"


@given(chunks=st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=4))
def test_a_resumable_upload_is_put_together_in_order(client: Client, chunks: list[bytes]) -> None:
    begun = client.send("POST", f"{UPLOAD}?uploadType=resumable&name=big", b"{}")
    where = begun.headers["location"].removeprefix(f"https://{HOST}")
    whole = b"".join(chunks)
    sent = 0
    for chunk in chunks:
        end = sent + len(chunk)
        total = str(len(whole)) if end == len(whole) else "*"
        answer = client.send("PUT", where, chunk, content_range=f"bytes {sent}-{end - 1}/{total}")
        sent = end
        assert answer.status == (200 if sent == len(whole) else 308)
        assert answer.headers.get("range") == (None if sent == len(whole) else f"bytes=0-{sent - 1}")
    assert client.storage.read("bucket", "big") == whole
    assert client.router.unknown == []


def test_what_is_missing_is_not_found(client: Client) -> None:
    assert client.send("GET", "/storage/v1/b/none").status == 404
    assert client.send("GET", "/storage/v1/b/bucket/o/none").status == 404
    assert client.send("POST", "/upload/storage/v1/b/none/o?uploadType=media&name=x", b"x").status == 404


def test_a_part_of_an_object_can_be_read_as_logs_are(client: Client) -> None:
    client.storage.put("bucket", "log", b"0123456789")
    part = client.send("GET", "/bucket/log", range="bytes=4-")
    assert (part.status, part.body) == (206, b"456789")
    assert client.send("GET", "/bucket/log", range="bytes=10-").status == 416
    assert client.send("GET", "/bucket/log").body == b"0123456789"


def test_objects_are_listed_by_prefix_and_can_be_removed(client: Client) -> None:
    for name in ("list/a", "list/b/c", "other"):
        client.storage.put("bucket", name, b"")
    listed = client.send("GET", "/storage/v1/b/bucket/o?prefix=list/&delimiter=/").body
    assert [item["name"] for item in listed["items"]] == ["list/a"]
    assert listed["prefixes"] == ["list/b/"]
    assert client.send("DELETE", "/storage/v1/b/bucket/o/list%2Fa").status == 204
    assert client.send("GET", "/storage/v1/b/bucket/o/list%2Fa").status == 404


def test_a_file_that_is_not_what_its_sha1_says_is_refused(client: Client) -> None:
    client.storage.put("bucket", "sum", b"content")
    file = {"sourceUrl": f"https://{HOST}/bucket/sum", "sha1Sum": "0" * 40}
    with pytest.raises(ApiError, match="SHA-1"):
        from_manifest({"app.yaml": file}, client.storage)

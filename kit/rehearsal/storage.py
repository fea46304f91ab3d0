"""Cloud Storage: buckets and objects, uploads of the three kinds, downloads over JSON and plain URLs.

https://cloud.google.com/storage/docs/json_api/v1 and, for uploads,
https://cloud.google.com/storage/docs/uploads-downloads.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any

from kit.rehearsal.router import Router
from kit.rehearsal.wire import ApiError, Request, Response

HOSTS = ("storage.googleapis.com", "www.googleapis.com")


@dataclass
class Blob:
    """One object."""

    data: bytes
    content_type: str
    created: str
    generation: int


@dataclass
class Bucket:
    """One bucket: its own resource, and its objects by name."""

    resource: dict[str, Any]
    objects: dict[str, Blob] = field(default_factory=dict)


@dataclass
class _Session:
    bucket: str
    metadata: dict[str, Any]
    data: bytes = b""


class Storage:
    """All buckets of the world: those of the project, and Google's own that are public."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {}
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def register(self, router: Router) -> None:
        """Answer at both of its hosts."""
        for host in HOSTS:
            router.on("GET", host, "/storage/v1/b", self._list_buckets)
            router.on("POST", host, "/storage/v1/b", self._insert_bucket)
            router.on("GET", host, "/storage/v1/b/{bucket}", self._get_bucket)
            router.on("GET", host, "/storage/v1/b/{bucket}/o", self._list)
            router.on("GET", host, "/storage/v1/b/{bucket}/o/{name}", self._get)
            router.on("DELETE", host, "/storage/v1/b/{bucket}/o/{name}", self._delete)
            router.on("POST", host, "/upload/storage/v1/b/{bucket}/o", self._upload, raw=True)
            router.on("POST", host, "/resumable/upload/storage/v1/b/{bucket}/o", self._upload, raw=True)
            router.on("PUT", host, "/upload/storage/v1/b/{bucket}/o", self._resume, raw=True)
            router.on("PUT", host, "/resumable/upload/storage/v1/b/{bucket}/o", self._resume, raw=True)
        # Build logs are read like this, without the JSON API.
        router.on("GET", HOSTS[0], "/{bucket}/{name*}", self._plain, raw=True)

    def create(self, name: str, location: str = "US", **resource: Any) -> Bucket:
        """Make a bucket; the one that is there stays."""
        with self._lock:
            made = {
                "kind": "storage#bucket",
                "id": name,
                "name": name,
                "location": location.upper(),
                "storageClass": "STANDARD",
                "timeCreated": now(),
                **resource,
            }
            return self.buckets.setdefault(name, Bucket(made))

    def put(
        self, bucket: str, name: str, data: bytes, content_type: str = "application/octet-stream"
    ) -> Blob:
        """Write an object. Raises ApiError NOT_FOUND without the bucket."""
        blob = Blob(data, content_type, now(), secrets.randbelow(10**15))
        self._bucket(bucket).objects[name] = blob
        return blob

    def read(self, bucket: str, name: str) -> bytes:
        """An object's content. Raises ApiError NOT_FOUND."""
        return self._blob(bucket, name).data

    def _bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise ApiError("NOT_FOUND", "The specified bucket does not exist.")
        return self.buckets[name]

    def _blob(self, bucket: str, name: str) -> Blob:
        found = self._bucket(bucket).objects.get(name)
        if found is None:
            raise ApiError("NOT_FOUND", f"No such object: {bucket}/{name}")
        return found

    def _list_buckets(self, request: Request) -> dict[str, Any]:
        prefix = request.query.get("prefix", "")
        items = [bucket.resource for name, bucket in sorted(self.buckets.items()) if name.startswith(prefix)]
        return {"kind": "storage#buckets", "items": items}

    def _insert_bucket(self, request: Request) -> dict[str, Any]:
        if request.json["name"] in self.buckets:
            raise ApiError("ALREADY_EXISTS", "Your previous request to create the named bucket succeeded.")
        given = {key: value for key, value in request.json.items() if key not in ("name", "location")}
        return self.create(request.json["name"], request.json.get("location", "US"), **given).resource

    def _get_bucket(self, request: Request, bucket: str) -> dict[str, Any]:
        return self._bucket(bucket).resource

    def _list(self, request: Request, bucket: str) -> dict[str, Any]:
        prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
        items, prefixes = [], set()
        for name, blob in sorted(self._bucket(bucket).objects.items()):
            if name.startswith(prefix):
                rest = name[len(prefix) :]
                if delimiter and delimiter in rest:
                    prefixes.add(prefix + rest.split(delimiter)[0] + delimiter)
                else:
                    items.append(_resource(bucket, name, blob))
        return {"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)}

    def _get(self, request: Request, bucket: str, name: str) -> dict[str, Any] | Response:
        blob = self._blob(bucket, name)
        if request.query.get("alt") == "media":
            return _ranged(request, blob)
        return _resource(bucket, name, blob)

    def _plain(self, request: Request, bucket: str, name: str) -> Response:
        return _ranged(request, self._blob(bucket, name))

    def _delete(self, request: Request, bucket: str, name: str) -> Response:
        self._blob(bucket, name)
        del self._bucket(bucket).objects[name]
        return Response(b"", 204)

    def _upload(self, request: Request, bucket: str) -> dict[str, Any] | Response:
        self._bucket(bucket)
        kind, name = request.query.get("uploadType"), request.query.get("name")
        if kind == "media":
            return self._store(bucket, {"name": name}, request.body, request.headers.get("content-type", ""))
        if kind == "multipart":
            metadata, (data, content_type) = _parts(request)
            return self._store(bucket, {"name": name, **metadata}, data, content_type)
        if kind == "resumable":
            session = secrets.token_hex(8)
            self._sessions[session] = _Session(bucket, {"name": name, **request.json})
            where = f"https://{request.host}{request.path}?uploadType=resumable&upload_id={session}"
            return Response(b"", 200, {"location": where})
        raise ApiError("INVALID_ARGUMENT", f"Upload of the unknown kind {kind!r}.")

    def _resume(self, request: Request, bucket: str) -> dict[str, Any] | Response:
        session = self._sessions.get(request.query.get("upload_id", ""))
        if session is None:
            raise ApiError("NOT_FOUND", "No such upload.")
        given = re.fullmatch(r"bytes (?:\*|(\d+)-(\d+))/(\*|\d+)", request.headers.get("content-range", ""))
        if given is None or given[1] is not None:
            begin = int(given[1]) if given else 0
            if begin != len(session.data):
                raise ApiError("INVALID_ARGUMENT", f"{len(session.data)} bytes are here, not {begin}.")
            session.data += request.body
        total = int(given[3]) if given and given[3] != "*" else None if given else len(session.data)
        if total == len(session.data):
            content_type = str(session.metadata.get("contentType", "application/octet-stream"))
            return self._store(session.bucket, session.metadata, session.data, content_type)
        # 308 is "resume incomplete" here: https://cloud.google.com/storage/docs/resumable-uploads
        reached = {"range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
        return Response(b"", 308, reached)

    def _store(self, bucket: str, metadata: dict[str, Any], data: bytes, content_type: str) -> dict[str, Any]:
        blob = self.put(bucket, metadata["name"], data, content_type or "application/octet-stream")
        return _resource(bucket, metadata["name"], blob)


def now() -> str:
    """The time as Google writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _resource(bucket: str, name: str, blob: Blob) -> dict[str, Any]:
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{blob.generation}",
        "name": name,
        "bucket": bucket,
        "generation": str(blob.generation),
        "metageneration": "1",
        "contentType": blob.content_type,
        "size": str(len(blob.data)),
        "md5Hash": base64.b64encode(hashlib.md5(blob.data).digest()).decode(),
        "timeCreated": blob.created,
        "updated": blob.created,
        "storageClass": "STANDARD",
    }


def _ranged(request: Request, blob: Blob) -> Response:
    headers = {"content-type": blob.content_type}
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None:
        return Response(blob.data, 200, headers)
    begin, end = int(asked[1]), int(asked[2] or len(blob.data) - 1)
    data = blob.data[begin : end + 1]
    if not data:
        return Response(b"", 416, {"content-range": f"bytes */{len(blob.data)}"})
    stands = f"bytes {begin}-{begin + len(data) - 1}/{len(blob.data)}"
    return Response(data, 206, {**headers, "content-range": stands})


def _parts(request: Request) -> tuple[dict[str, Any], tuple[bytes, str]]:
    """The metadata and the data of a multipart/related body, the data untouched (RFC 2046, 5.1)."""
    boundary = message_from_bytes(b"Content-Type: " + request.headers["content-type"].encode()).get_boundary()
    if boundary is None:
        raise ApiError("INVALID_ARGUMENT", "A multipart upload without a boundary.")
    # gcloud quotes it with single quotes, which no standard knows, and no boundary may hold.
    mark = b"--" + boundary.strip("'").encode()
    # gcloud ends lines with a bare newline: what ends the boundary's own line ends them all.
    end = re.match(rb"\r?\n", request.body.partition(mark)[2])
    if end is None:
        raise ApiError("INVALID_ARGUMENT", "A multipart upload without its first part.")
    line_end = end[0]
    parts = (line_end + request.body).split(line_end + mark)[1:3]
    (_, metadata), (head, data) = (part.removeprefix(line_end).split(line_end * 2, 1) for part in parts)
    return json.loads(metadata), (data, message_from_bytes(head + b"\n\n").get_content_type())

"""Uploads of gcloud's, unpacked: name to content."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping
from hashlib import sha1
from typing import Any

from kit.rehearsal.storage import Storage
from kit.rehearsal.wire import ApiError


def from_manifest(files: Mapping[str, Mapping[str, Any]], storage: Storage) -> dict[str, bytes]:
    """App Engine's own: one object a file, named by its SHA-1, which must be what it says."""
    unpacked = {}
    for name, file in files.items():
        bucket, _, object = file["sourceUrl"].removeprefix("https://storage.googleapis.com/").partition("/")
        content = storage.read(bucket, object)
        if sha1(content).hexdigest() != file["sha1Sum"]:
            raise ApiError("INVALID_ARGUMENT", f"{name} is not what its SHA-1 says.")
        unpacked[name] = content
    return unpacked


def from_tarball(data: bytes) -> dict[str, bytes]:
    """A .tgz, as for a client-side build: plain files only."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        return {
            member.name: opened.read()
            for member in archive
            if member.isfile() and (opened := archive.extractfile(member)) is not None
        }


def from_zip(data: bytes) -> dict[str, bytes]:
    """A .zip, as for Cloud Run's source deploys."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}

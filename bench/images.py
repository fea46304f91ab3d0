"""How large the images are, beside one with a bare FastAPI under gunicorn on the same base.

Built as in tests/deploy/, so only on Debian, as root, with buildah and mmdebstrap; elsewhere it says so.
The base is made from Debian's packages and takes the place of python:3.X-slim.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure
from tests.fixtures.images import Image, Images, make_base, unfit
from tests.fixtures.tools import find

TARGETS = ("flex", "run")
# The least that could serve the same: without what makes a stream quick (uvloop, httptools), and without what
# a pip that runs in the image would compile of itself.
PEER = """FROM python:{python}-slim
ENV PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY . .
RUN pip install --no-cache-dir fastapi uvicorn gunicorn uvicorn-worker
CMD ["gunicorn", "-k", "uvicorn_worker.UvicornWorker", "main:app"]
"""
PEERS_APP = "from fastapi import FastAPI\n\napp = FastAPI()\n"


def measure() -> Iterator[Figure]:
    """One figure as sent to a registry and one as unpacked, for each target that is a container."""
    programs = {name: find(name) for name in ("buildah", "mmdebstrap", "uv")}
    missing = [name for name, path in programs.items() if path is None]
    if reason := f"{', '.join(missing)} not installed" if missing else unfit():
        print(f"  image sizes were not measured: {reason}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        yield from _measured(Path(name), **{name: path for name, path in programs.items() if path})


def _measured(folder: Path, *, buildah: Path, mmdebstrap: Path, uv: Path) -> Iterator[Figure]:
    (folder / "base").mkdir()
    base = folder / "base" / "base.tar"
    make_base(mmdebstrap, base)
    images = Images(buildah=buildah, uv=uv, base=base, folder=folder / "images")
    _render(folder, images.python)
    images.fetch(folder / "build" / "run" / "requirements.txt")
    bare = images.build(_peer(folder, images.python), "bare", compressed=True)
    alone = images.export(images.base_name, compressed=True)
    for target in TARGETS:
        ours = images.build(folder / "build" / target, target, compressed=True)
        for how, size in (("as sent", _sent_mb), ("unpacked", _disk_mb)):
            detail = f"{size(ours):.1f} MB against {size(bare):.1f} MB, the base alone {size(alone):.1f} MB"
            what = f"image of {target} {how}, against a bare FastAPI under gunicorn"
            yield Figure(what, size(ours) / size(bare), "×", 1.2, detail)


def _render(folder: Path, python: str) -> None:
    (folder / "kit.toml").write_text(f'python = "{python}"\n')
    render = [sys.executable, "-m", "kit", "render", *TARGETS]
    subprocess.run(render, cwd=folder, capture_output=True, check=True)


def _peer(folder: Path, python: str) -> Path:
    context = folder / "bare"
    context.mkdir()
    (context / "Dockerfile").write_text(PEER.format(python=python))
    (context / "main.py").write_text(PEERS_APP)
    return context


def _sent_mb(image: Image) -> float:
    return sum(layer.sent_bytes for layer in image.layers) / 1e6


def _disk_mb(image: Image) -> float:
    return sum(layer.disk_bytes for layer in image.layers) / 1e6

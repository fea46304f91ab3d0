"""A lane's front as a process of its own, so that the measured and the measurer share no event loop.

The kit's side is `start_front`, the other one `python -m kit.lab.front FILE`: FILE says in JSON what to
serve, and which of the inherited descriptors is what. It serves until it is ended. A bug ends it, with the
traceback in its log: a cut stream alone would pass for something that the service did.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kit.lab import headers as rules
from kit.lab.idle import RUNS, open_requests
from kit.lab.process import ServiceProcess
from kit.lab.proxy import Front
from kit.process import Control
from kit.targets import FrontSpec

_GRACE_S = 1.0  # it has nothing to end with grace: SIGTERM ends it


def start_front(
    name: str,
    spec: FrontSpec,
    listener: socket.socket,
    service_port: int,
    folder: Path,
    service: ServiceProcess | None = None,
) -> ServiceProcess:
    """Start serving. Needs a running loop.

    Args:
        name: the lane's.
        spec: how the platform's front end behaves.
        listener: the front's socket, which is closed here: it ends with the front.
        service_port: where the service listens, on 127.0.0.1.
        folder: where the front lives; made here.
        service: what stands still while no request is open, where the spec says so.

    Raises:
        KitError: bad-target, the front adds a header that it cannot fill in.
    """
    rules.check(spec.request_headers_added)
    rules.check(spec.response_headers_added)
    (folder / "bundle").mkdir(parents=True)
    file = folder / "front.json"
    control = service.control.socket.fileno() if service is not None else None
    job = {"spec": asdict(spec), "port": service_port, "listener": listener.fileno(), "control": control}
    file.write_text(json.dumps(job), encoding="utf-8")
    process = ServiceProcess(
        name,
        [sys.executable, "-P", "-m", "kit.lab.front", str(file)],
        {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # the same kit as this one
        folder,
        grace_s=_GRACE_S,
        what="front",
        inherits=[listener.fileno(), *([] if control is None else [control])],
    )
    listener.close()
    return process


async def _serve(job: dict[str, Any]) -> None:
    """Serve until something in the front itself goes wrong."""
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in job["spec"].items()}
    spec, control = FrontSpec(**fields), job["control"]
    is_open = RUNS if control is None else open_requests(spec, Control(socket.socket(fileno=control)))
    loop = asyncio.get_running_loop()
    broken = loop.create_future()

    def went_wrong(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)  # with its traceback, to the log
        if "exception" in context and not broken.done():
            broken.set_result(None)

    loop.set_exception_handler(went_wrong)
    Front(spec, job["port"], is_open).start(socket.socket(fileno=job["listener"]))
    await broken
    sys.exit(1)


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))

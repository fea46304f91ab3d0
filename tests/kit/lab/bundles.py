"""Small bundles by hand: as rendered ones, with a service of the standard library that starts at once."""

from __future__ import annotations

from pathlib import Path

from kit.bundle import Start
from kit.lab.lab import LabLane
from kit.targets import FrontSpec, Hold, Target
from tests.kit.lab.specs import front

# /ready; /about: its environment and folder; /die; anything else: chunks "one", "two", the second on demand.
SERVER = """
import http.server, json, os, sys, threading

go_on = threading.Event()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/ready":
            self.answer(200 if ready() else 503, b"")
        elif self.path == "/about":
            about = {"pid": os.getpid(), "cwd": os.getcwd(), "env": dict(os.environ)}
            self.answer(200, json.dumps(about).encode())
        elif self.path == "/go-on":
            go_on.set()
            self.answer(204, b"")
        elif self.path == "/die":
            print("dying as asked", flush=True)
            os._exit(7)
        else:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\\r\\none\\r\\n")
            go_on.wait()
            self.wfile.write(b"3\\r\\ntwo\\r\\n0\\r\\n\\r\\n")

def ready():
    return "never-ready" not in sys.argv

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

print("starting", os.getpid(), flush=True)
Server((os.environ["STREAMPROOF_BIND"], int(os.environ["PORT"])), Handler).serve_forever()
"""

# An ASGI app with a task in the background, which writes a byte into the file `ticks` each millisecond.
# /ready; /about: its process, and where that file is; anything else: "one", and "two" once /go-on was asked.
TICKING = """
import asyncio, json, os, uvicorn

go_on = asyncio.Event()

async def tick():
    with open("ticks", "ab", buffering=0) as ticks:
        while True:
            ticks.write(b".")
            await asyncio.sleep(0.001)

async def lifespan(receive, send):
    await receive()
    ticking = asyncio.create_task(tick())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    body, headers, more = b"one", [], True
    if scope["path"] == "/go-on":
        go_on.set()
    if scope["path"] in ("/ready", "/about", "/go-on"):
        body = json.dumps({"pid": os.getpid(), "ticks": os.path.abspath("ticks")}).encode()
        headers, more = [(b"content-length", b"%d" % len(body))], False
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": more})
    if more:
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"two"})

uvicorn.run(app, host=os.environ["STREAMPROOF_BIND"], port=int(os.environ["PORT"]), log_level="warning")
"""


def target(name: str, hold: Hold = "none") -> Target:
    """A target of that name with a front that holds like that."""
    return Target(
        name=name,
        order=0,
        title=name.title(),
        platform="none",
        folder=Path(),
        templates={},
        settings={},
        rules=(),
        expect={},
        advice=None,
        front=front(hold),
        claims=(),
    )


def lane(
    root: Path,
    name: str = "run",
    hold: Hold = "none",
    *,
    arguments: str = "",
    program: str = SERVER,
    port: int | None = None,
    front: FrontSpec | None = None,
) -> LabLane:
    """A lane whose bundle runs that program with these arguments."""
    bundle = root / name
    bundle.mkdir()
    (bundle / "serve.py").write_text(program)
    start = Start(("python", "-u", "serve.py", *arguments.split()), {"OWN": name})
    return LabLane(target(name, hold), bundle, start, front=front, port=port)

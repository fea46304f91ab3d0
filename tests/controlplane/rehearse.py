"""A rehearsal: deploy with the real gcloud to a Google on 127.0.0.1, for whoever has no account.

    make rehearse                             deploys everything and keeps the three URLs alive until Ctrl-C
    make rehearse ARGS="status"               any other line of the kit's
    make rehearse ARGS=shell                  your shell, in which every command of the kit and gcloud's work

What was deployed lives as long as the rehearsal does. The kit works in a folder of its own, with the kit.toml
that lies here, so that no real deployment's record is touched.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

_PROJECT, _REGION = "demo-project", "europe-west1"
_SAID = """\
A rehearsal: the real gcloud and real uploads, but a control plane on 127.0.0.1 in the place of Google's.
Nothing reaches Google, and nothing costs anything; what runs are your bundles, behind emulated front ends.
"""
_DEPLOY = ("deploy", "--all", "--yes", "--project", _PROJECT, "--region", _REGION)
_THEN_EXIT = "--then-exit"
# What would lead the kit to somebody's real project.
_LEFT_OUT = ("CLOUDSDK_", "GOOGLE_", "STREAMPROOF_")


def main(words: Sequence[str]) -> int:
    """Rehearse; the exit status is the child's own, 0 when the URLs were kept alive until Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    asked = [word for word in words if word != _THEN_EXIT]
    if shutil.which("gcloud") is None:
        print(
            "A rehearsal needs the Google Cloud CLI: https://cloud.google.com/sdk/docs/install",
            file=sys.stderr,
        )
        return 1
    print(_SAID, file=sys.stderr, flush=True)
    folder = Path(tempfile.mkdtemp(prefix="streamproof-rehearsal-"))
    try:
        return _rehearse(folder, asked, stays=_THEN_EXIT not in words)
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rehearse(folder: Path, asked: Sequence[str], *, stays: bool) -> int:
    # Only here: without gcloud there is no need to have the test packages.
    from tests.controlplane.environment import service_account_environment
    from tests.controlplane.hosting import Hosting
    from tests.controlplane.plane import Plane

    work = folder / "work"
    work.mkdir()
    if (settings := Path("kit.toml")).is_file():
        shutil.copy(settings, work)
    with Plane(folder, _PROJECT) as plane:
        plane.hosting = Hosting(plane.project.id)
        env = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        env |= service_account_environment(plane, folder / "signed-in")
        env |= {"KIT_PROJECT": _PROJECT, "KIT_REGION": _REGION}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
        # The URLs that gcloud names are on this machine, and no proxy's business.
        env |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        if list(asked) == ["shell"]:
            print("kit and gcloud are on PATH; `exit` ends the rehearsal.", file=sys.stderr, flush=True)
            return _run([env.get("SHELL", "/bin/sh")], work, env)
        status = _run([sys.executable, "-m", "kit", *(asked or _DEPLOY)], work, env)
        if status == 0 and stays and not asked:
            print("\nThe three URLs live until you press Ctrl-C.", file=sys.stderr, flush=True)
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                print(file=sys.stderr)
        return status


def _run(argv: Sequence[str], folder: Path, env: dict[str, str]) -> int:
    """Run a child that hears Ctrl-C itself, to its end."""
    child = subprocess.Popen(argv, cwd=folder, env=env)
    while True:
        try:
            status = child.wait()
            return status if status >= 0 else 128 - status
        except KeyboardInterrupt:
            continue  # it was told too, and ends in its own way
        except BaseException:
            child.terminate()
            child.wait()
            raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

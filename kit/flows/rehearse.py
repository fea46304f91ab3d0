"""A rehearsal: any line of the kit's, with the real gcloud and kubectl, against a Google on 127.0.0.1.

It takes no account. The kit works in a folder of its own, with a copy of the kit.toml that lies here, so that
no real deployment's record is touched. What was deployed lives as long as the rehearsal does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from kit.errors import Code, KitError

SHELL: Final = "shell"
_PROJECT, _REGION = "demo-project", "europe-west1"
_BEGINS = """\
A rehearsal: the real gcloud and real uploads, but a control plane on 127.0.0.1 in the place of Google's;
the real kubectl, but an API server of the kit's own in the place of a cluster's.
Nothing reaches Google, and nothing costs anything; what runs are your bundles, behind emulated front ends.
"""
_DEPLOY = ("deploy", "--all", "--yes", "--project", _PROJECT, "--region", _REGION)
# What would lead the kit to a real project.
_LEFT_OUT = ("CLOUDSDK_", "GOOGLE_", "STREAMPROOF_", "KUBECONFIG")


def rehearse(words: Sequence[str], *, stays: bool, as_json: bool, say: Callable[[str], None]) -> int:
    """Rehearse to its end; returns the exit status of the line or the shell that it ran.

    Args:
        words: a line of the kit's, or `SHELL` for a shell in which kit and gcloud work; none to deploy all.
        stays: whether all that was deployed stays until Ctrl-C, which then is status 0.
        as_json: whether that line prints JSON.
        say: called with what happens.

    Raises:
        KitError: GCLOUD_MISSING or INSTALL_FAILED, before anything is started.
        KeyboardInterrupt: on Ctrl-C before all was deployed.
    """
    if shutil.which("gcloud") is None:
        raise KitError(
            Code.GCLOUD_MISSING,
            "A rehearsal needs the Google Cloud CLI, and gcloud is not on the PATH.",
            "Install it: https://cloud.google.com/sdk/docs/install",
        )
    try:
        import trustme  # noqa: F401 (what kit.rehearsal needs beside the kit)
    except ModuleNotFoundError:
        raise KitError(
            Code.INSTALL_FAILED,
            "A rehearsal needs trustme, which is not installed beside the kit.",
            "Install it: pip install 'streamproof[rehearse]'",
        ) from None
    say(_BEGINS)
    folder = Path(tempfile.mkdtemp(prefix="streamproof-rehearsal-"))
    try:
        return _rehearse(folder, words, stays, as_json, say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rehearse(
    folder: Path, words: Sequence[str], stays: bool, as_json: bool, say: Callable[[str], None]
) -> int:
    from kit.rehearsal.environment import clusters_need, service_account_environment
    from kit.rehearsal.hosting import Hosting
    from kit.rehearsal.plane import Plane

    work = folder / "work"
    work.mkdir()
    if (settings := Path("kit.toml")).is_file():
        shutil.copy(settings, work)
    with Plane(folder, _PROJECT) as plane:
        plane.hosting = Hosting(plane.project.id)
        env = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        env |= service_account_environment(plane, folder / "signed-in")
        env |= {"KIT_PROJECT": _PROJECT, "KIT_REGION": _REGION}
        env["PATH"] = _path(folder, env.get("PATH", os.defpath))
        # The URLs that gcloud names are on this machine: no proxy leads to them.
        env |= dict.fromkeys(("NO_PROXY", "no_proxy"), f"127.0.0.1,localhost,{plane.gateway_host}")
        if list(words) == [SHELL]:
            say("kit, gcloud and kubectl are on PATH; `exit` ends the rehearsal.")
            return _run([env.get("SHELL", "/bin/sh")], work, env)
        deploy = list(_DEPLOY)
        if (missing := clusters_need(plane, env["PATH"])) is None:
            deploy.append("--create-cluster")
        elif not words:
            say(f"No cluster is rehearsed here: {missing}\n")
        line = [*(words or deploy), *(["--json"] if as_json else [])]
        status = _run([sys.executable, "-m", "kit", *line], work, env)
        if status == 0 and stays and not words:
            say("\nAll URLs live until you press Ctrl-C.")
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                say("")
        return status


def _path(folder: Path, path: str) -> str:
    """A PATH with this kit first; what is installed beside it, a kubectl perhaps, comes last."""
    beside = Path(sys.executable).parent
    (folder / "bin").mkdir()
    (folder / "bin" / "kit").symlink_to(beside / "kit")
    return os.pathsep.join((str(folder / "bin"), path, str(beside)))


def _run(argv: Sequence[str], folder: Path, env: dict[str, str]) -> int:
    """Run a child that shares the terminal, so that it hears Ctrl-C itself, to its end."""
    child = subprocess.Popen(argv, cwd=folder, env=env)
    while True:
        try:
            status = child.wait()
            return status if status >= 0 else 128 - status
        except KeyboardInterrupt:
            continue  # the child was interrupted too, and ends in its own way
        except BaseException:
            child.terminate()
            child.wait()
            raise

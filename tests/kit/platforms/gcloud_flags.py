"""Makes gcloud-flags.json anew, from an installed SDK: the flags and positionals of the commands in the file.

    python tests/kit/platforms/gcloud_flags.py [COMMAND…]

It prints the list for the commands that the file holds, and for those that are named, as in "run deploy".
gcloud's own listing (`gcloud meta list-gcloud --branch=run`) loads every command there is, which takes four
minutes; this asks for single ones, in gcloud's own Python, and takes seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("gcloud-flags.json")
ABOUT = "flags and positionals of the gcloud commands that the kit may run; hidden flags are left out"


def listed(gcloud: Path, commands: list[str]) -> dict[str, object]:
    """The list for these commands.

    Args:
        gcloud: the executable.
        commands: without "gcloud", as in "run deploy".

    Raises:
        subprocess.CalledProcessError: gcloud cannot be asked; KeyError for a command that it does not know.
    """
    places = "--format=value(installation.sdk_root,basic.python_location)"
    env = {**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    ran = subprocess.run([gcloud, "info", places], check=True, capture_output=True, text=True, env=env)
    root, python = ran.stdout.strip().split("\t")
    asked = subprocess.run(
        [python, "-S", __file__, "--inside", root, *commands],
        check=True,
        capture_output=True,
        text=True,
        env=env,
    )
    made: dict[str, object] = json.loads(asked.stdout)
    return made


def _inside(root: str, commands: list[str]) -> None:
    """In gcloud's Python: print the list."""
    sys.path[:0] = [f"{root}/lib", f"{root}/lib/third_party"]
    from googlecloudsdk import gcloud_main  # type: ignore[import-not-found]
    from googlecloudsdk.core import config  # type: ignore[import-not-found]

    top = gcloud_main.CreateCLI([])._TopElement()
    shown = {}
    for command in sorted(commands):
        element = top.LoadSubElementByPath(command.split())
        if element is None:
            raise KeyError(command)
        shown[command] = _described(element)
    everywhere = [
        name
        for flag in _flags(top.ai.flag_args)
        if flag.is_global and flag.dest != "version"
        for name in flag.option_strings
        if _long(name)
    ]
    print(
        json.dumps(
            {
                "about": ABOUT,
                "gcloud": config.CLOUD_SDK_VERSION,
                "global_flags": sorted(name for name in everywhere if not name.startswith("--no-")),
                "commands": shown,
            },
            indent=1,
        )
    )


def _described(element: Any) -> dict[str, object]:
    flags: dict[str, str | list[str]] = {}
    of_groups = [flag for flag in element.ai.ancestor_flag_args if not flag.is_global]
    for flag in _flags([*element.ai.flag_args, *of_groups]):
        names = [name for name in flag.option_strings if _long(name)]
        flags |= dict.fromkeys(names, _kind(flag))
    # A switch --NAME has a twin --no-NAME: the first stands for both.
    for name in [name for name, kind in flags.items() if kind == "bool"]:
        flags.pop(f"--no-{name[2:]}", None)
    return {
        "flags": dict(sorted(flags.items())),
        "positionals": [
            {
                "name": positional.dest.replace("_", "-"),
                "nargs": "1" if positional.nargs is None else str(positional.nargs),
            }
            for positional in element.ai.positional_args
        ],
    }


def _flags(arguments: Any) -> list[Any]:
    return [flag for flag in arguments if not getattr(flag, "is_hidden", getattr(flag, "hidden", False))]


def _long(name: str) -> bool:
    return name.startswith("--") and name != "--help"


def _kind(flag: Any) -> str | list[str]:
    """A switch, one of some words, a list, NAME=VALUE pairs, a number, or any text."""
    from googlecloudsdk.calliope import arg_parsers  # type: ignore[import-not-found]

    choices = sorted(str(choice) for choice in flag.choices or ())
    if flag.nargs == 0 or choices == ["false", "true"]:
        return "bool"
    if choices:
        return choices
    if isinstance(flag.type, arg_parsers.ArgDict):
        return "dict"
    if isinstance(flag.type, arg_parsers.ArgList):
        return "list"
    return "int" if flag.type is int or isinstance(flag.default, int) else "string"


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        _inside(sys.argv[2], sys.argv[3:])
        return
    import shutil

    gcloud = shutil.which("gcloud")
    if gcloud is None:
        sys.exit("gcloud is not on the PATH.")
    known = list(json.loads(FILE.read_text())["commands"]) if FILE.exists() else []
    print(json.dumps(listed(Path(gcloud), [*known, *sys.argv[1:]]), indent=1))


if __name__ == "__main__":
    main()

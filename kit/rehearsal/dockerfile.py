"""An image's command and environment, by its Dockerfile."""

from __future__ import annotations

import json
import re
import shlex

from kit.bundle import Start


def read_dockerfile(text: str) -> Start:
    """The JSON CMD and the ENV of the last stage, read as a builder does.

    Raises:
        ValueError: there is no such CMD.
    """
    env: dict[str, str] = {}
    command: list[str] | None = None
    stage = re.split(r"^FROM ", text, flags=re.MULTILINE)[-1]
    for line in stage.replace("\\\n", "").splitlines():
        instruction, _, rest = line.partition(" ")
        if instruction == "ENV":
            pairs = (word.partition("=") for word in shlex.split(rest))
            env |= {name: value for name, _, value in pairs}
        elif instruction == "CMD":
            command = json.loads(rest)
    if not command:
        raise ValueError("the Dockerfile names no command")
    return Start(tuple(command), env)

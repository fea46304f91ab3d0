"""Stands in for gcloud: keeps the lines it is given, and answers with what was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kit.errors import Code, KitError
from kit.platforms.command import Command
from tests.kit.platforms.releases import answer


class Recorder:
    """Runs nothing.

    Args:
        answers: by how a line begins what it prints, or the error that it ends in; the first that fits.
            Whatever fits none prints null.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.commands: list[Command] = []
        self.env: dict[str, str] = {}
        self.answers = dict(answers)

    @property
    def changes(self) -> list[str]:
        """The lines that change something, without what they all end in."""
        return [
            each.line.partition(" --region")[0].partition(" --project")[0]
            for each in self.commands
            if each.changes
        ]

    def asked(self, begin: str) -> int:
        """How many lines began so."""
        return sum(" ".join(command.words).startswith(begin) for command in self.commands)

    def find(self) -> str:
        return "gcloud"

    async def run(self, command: Command, *, log: str, line: object = None) -> str:
        self.commands.append(command)
        if command.words[0] == "auth" and any(word.startswith("--audiences") for word in command.words):
            raise KitError(Code.NOT_SIGNED_IN, "A person's token has no audience.", "")
        return "aaa.bbb.ccc"

    async def read(self, command: Command, *, log: str) -> Any:
        self.commands.append(command)
        for begin, reply in self.answers.items():
            if " ".join(command.words).startswith(begin):
                if isinstance(reply, KitError):
                    raise reply
                return reply
        return None


def recorded() -> dict[str, Any]:
    """What gcloud printed of a Flex service with two versions, and of a Cloud Run service with two."""
    described = answer("app-versions-describe")
    return {
        "app describe": answer("app-describe"),
        "app versions list": answer("app-versions-list"),
        **{f"app versions describe {name}": version for name, version in described.items()},
        "run services describe": answer("run-services-describe"),
        "run revisions list": answer("run-revisions-list"),
        "run services get-iam-policy": answer("run-services-get-iam-policy"),
        "artifacts docker images list": answer("artifacts-docker-images-list"),
        "storage ls": answer("storage-ls"),
    }

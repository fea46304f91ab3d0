"""The record of what is deployed from a working folder: FOLDER/.kit/deployments.json, an entry a target, and
one for each preview of it.

The file is replaced atomically: a reader finds the old one or the new one, whole, also when a writer dies. A
writer holds the lock (`kit.cloud.lock.locked`). The record can be rebuilt from the cloud, and there
is no place in it for a secret, but for what opens the proof of a user's app for an hour.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from kit.cloud.lock import FOLDER, state_folder
from kit.errors import Code, KitError
from kit.language import text
from kit.platforms.deployment import Deployment
from kit.schema import STRICT, bad, parse

SCHEMA_VERSION: Final = 2
REBUILDS: Final = text("`kit status --refresh` rebuilds it from what is in the cloud.")

_FILE: Final = "deployments.json"


@dataclass(frozen=True, slots=True)
class _File:
    """What the file holds."""

    __pydantic_config__ = STRICT

    schema_version: int
    deployments: dict[str, Deployment] = field(default_factory=dict)
    previews: dict[str, dict[str, Deployment]] = field(default_factory=dict)


class Record:
    """The record of one working folder. `put` and `drop` write at once; hold `locked` around them.

    They wait for the disk, so a coroutine beside which others run calls them in a thread.
    """

    def __init__(
        self,
        folder: Path,
        deployments: Mapping[str, Deployment],
        previews: Mapping[str, Mapping[str, Deployment]] = MappingProxyType({}),
    ) -> None:
        self._folder = folder
        self._deployments = dict(deployments)
        self._previews = {name: dict(targets) for name, targets in previews.items()}
        self._writing = threading.Lock()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The record as it stands; an empty one where there is no file.

        Raises:
            KitError: BAD_RECORD; it cannot be read, or a newer kit wrote it.
        """
        file = folder / FOLDER / _FILE
        try:
            found = _parsed(file, json.loads(file.read_text(encoding="utf-8")))
            return cls(folder, found.deployments, found.previews)
        except FileNotFoundError:
            return cls(folder, {})
        except OSError as error:
            raise _bad(file, error.strerror or str(error)) from None
        except (ValueError, RecursionError):
            raise _bad(file, text("it is not JSON")) from None

    @classmethod
    def anew(cls, folder: Path) -> tuple[Self, Path | None]:
        """The record; an empty one if the file is corrupt, which is then kept under the name returned.

        Raises:
            KitError: BAD_RECORD if a newer kit wrote it, CANNOT_WRITE if it cannot be put aside.
        """
        try:
            return cls.load(folder), None
        except _NewerError:
            raise
        except KitError:
            file = folder / FOLDER / _FILE
            aside = next(
                name
                for number in range(1, 1_000_000)
                if not (name := file.with_name(f"deployments.corrupt-{number}.json")).exists()
            )
            try:
                file.rename(aside)
            except OSError as error:
                raise _cannot(file, error) from None
            return cls(folder, {}), aside

    def of(self, target: str) -> Deployment | None:
        """A target's entry; None where nothing of it was deployed."""
        return self._deployments.get(target)

    def __iter__(self) -> Iterator[Deployment]:
        return iter(self._deployments.values())

    def __len__(self) -> int:
        return len(self._deployments)

    def previews(self, target: str | None = None) -> tuple[tuple[str, Deployment], ...]:
        """The previews of a target, or of all, each with its name."""
        return tuple(
            (name, one)
            for name, targets in self._previews.items()
            for one in targets.values()
            if target in (None, one.target)
        )

    def put(self, deployment: Deployment) -> None:
        """Remember it in place of the target's earlier one. Raises KitError CANNOT_WRITE."""
        with self._writing:
            self._save({**self._deployments, deployment.target: deployment}, self._previews)

    def drop(self, target: str) -> None:
        """Forget a target, known or not, and its previews. Raises KitError CANNOT_WRITE."""
        with self._writing:
            if target not in self._deployments and not self.previews(target):
                return
            self._save(
                {name: one for name, one in self._deployments.items() if name != target},
                {name: _without(targets, target) for name, targets in self._previews.items()},
            )

    def put_preview(self, name: str, deployment: Deployment) -> None:
        """Remember a target's preview in place of that name's earlier one. Raises KitError CANNOT_WRITE."""
        with self._writing:
            targets = {**self._previews.get(name, {}), deployment.target: deployment}
            self._save(self._deployments, {**self._previews, name: targets})

    def drop_preview(self, name: str, target: str) -> None:
        """Forget a target's preview, known or not. Raises KitError CANNOT_WRITE."""
        with self._writing:
            if target not in self._previews.get(name, {}):
                return
            targets = _without(self._previews.get(name, {}), target)
            self._save(self._deployments, {**self._previews, name: targets})

    def _save(
        self, deployments: dict[str, Deployment], previews: Mapping[str, Mapping[str, Deployment]]
    ) -> None:
        kept = {name: dict(targets) for name, targets in previews.items() if targets}
        # As long as there is no preview, an older kit can read it.
        content: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION if kept else 1,
            "deployments": {name: asdict(deployments[name]) for name in sorted(deployments)},
        }
        if kept:
            content["previews"] = {
                name: {target: asdict(one) for target, one in sorted(kept[name].items())}
                for name in sorted(kept)
            }
        text = json.dumps(content, indent=2) + "\n"
        file = state_folder(self._folder) / _FILE
        draft = file.with_name(f".{_FILE}.{os.getpid()}.tmp")
        for left_over in file.parent.glob(f".{_FILE}.*.tmp"):  # by a run that was killed: the lock is ours
            left_over.unlink(missing_ok=True)
        try:
            draft.touch(0o600)  # there may be a proof's secret in it
            with draft.open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())  # or a machine that loses its power may keep the name of nothing
            draft.replace(file)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise _cannot(file, error) from None
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self._deployments, self._previews = deployments, kept


def _without(targets: Mapping[str, Deployment], target: str) -> dict[str, Deployment]:
    return {name: one for name, one in targets.items() if name != target}


class _NewerError(KitError):
    """A newer kit wrote the record: nothing in it is broken."""


def _parsed(file: Path, raw: Any) -> _File:
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if type(version) is not int or version < 1:
        raise _bad(file, "it has no schema_version")
    if version > SCHEMA_VERSION:
        raise _NewerError(
            Code.BAD_RECORD,
            text(
                "{file} was written by a newer kit (schema {version}; this one knows {known}).",
                file=file,
                version=version,
                known=SCHEMA_VERSION,
            ),
            text("Use that kit here, or install the newest one."),
        )
    try:
        found = parse(_File, raw, file, Code.BAD_RECORD)
        entries = {"deployments": found.deployments}
        entries |= {f"previews.{name}": targets for name, targets in found.previews.items()}
        for place, targets in entries.items():
            for name, one in targets.items():
                if one.target != name:
                    raise bad(file, f"{place}.{name}.target", one.target, repr(name), Code.BAD_RECORD)
    except KitError as error:
        raise KitError(Code.BAD_RECORD, error.message, REBUILDS) from None
    return found


def _bad(file: Path, reason: str) -> KitError:
    return KitError(
        Code.BAD_RECORD, text("{file} cannot be read: {reason}.", file=file, reason=reason), REBUILDS
    )


def _cannot(file: Path, error: OSError) -> KitError:
    return KitError(
        Code.CANNOT_WRITE,
        text("Cannot write {file}: {error}.", file=file, error=error.strerror or error),
        text("Free some room or correct the rights."),
    )

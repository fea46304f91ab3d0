"""Copies of kept answers in Firestore. Answers are in it, prompts are not.

COLLECTION/ANSWER holds a `service.answer_copies.Head`, COLLECTION/ANSWER/COLLECTION-pieces/FIRST the events
from number FIRST on, each as "NAME JSON". Both have `expire_at`, by which a TTL policy of the database may
delete; that deletes no document's subcollections (https://firebase.google.com/docs/firestore/ttl).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from service import problems
from service.answer_copies import Head, Store
from service.events import Event
from service.lazy import Lazy
from service.settings import Settings, SettingsError, installed

if TYPE_CHECKING:
    from google.cloud.firestore_v1.async_client import AsyncClient
    from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
    from google.cloud.firestore_v1.async_document import AsyncDocumentReference

# No retries of the client's own, which take minutes: `service.answer_copies` tries a copy again, and a reader
# gets a Retry-After.
_CALL: dict[str, Any] = {"timeout": 5.0, "retry": None}


def create_store(settings: Settings) -> Store | None:
    """The store that the settings name; None for memory alone.

    Raises:
        SettingsError: what it needs is not installed.
    """
    if settings.store == "memory":
        return None
    if not installed("google.cloud.firestore_v1"):
        raise SettingsError(
            "STREAMPROOF_STORE is 'firestore', so the package google-cloud-firestore must be installed."
        )
    return FirestoreStore(settings)


class FirestoreStore:
    """A `service.answer_copies.Store`. Google's client takes a second to import: not before it is used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Lazy[AsyncClient] = Lazy(lambda: _open(settings))

    async def prepare(self) -> None:
        await self._document("0" * 32)

    async def close(self) -> None:
        if client := await self._client.made():
            client.close()  # type: ignore[no-untyped-call]

    async def create(self, name: str, started_ms: float) -> None:
        document = await self._document(name)
        now = time.time()
        fields = {
            "started_ms": started_ms,
            "alive_s": now,
            "asked_s": 0.0,
            "expire_at": self._expiry(self._settings.answer_deadline_s),
        }
        async with _as_problems():
            if not await _added(document.create(fields, **_CALL)):
                raise problems.answer_in_use()

    async def head(self, name: str) -> Head | None:
        document = await self._document(name)
        async with _as_problems():
            found = await document.get(**_CALL)
        fields = found.to_dict() if found.exists else None
        if fields is None or fields["expire_at"] <= datetime.now(UTC):
            return None
        return Head(fields["started_ms"], fields["alive_s"], fields["asked_s"])

    async def alive(self, name: str) -> None:
        await self._update(name, {"alive_s": time.time()})

    async def asked(self, name: str) -> None:
        await self._update(name, {"asked_s": time.time()})

    async def append(self, name: str, first: int, events: Sequence[Event]) -> bool:
        document = await self._document(name)
        # Its number is its name, so that no other writer can add it as well.
        piece = self._pieces(document).document(f"{first:08d}")
        fields = {
            "first": first,
            "last": first + len(events) - 1,
            "events": [f"{event.name} {event.data}" for event in events],
            "expire_at": self._expiry(self._settings.answer_deadline_s),
        }
        head: dict[str, Any] = {"alive_s": time.time()}
        if events[-1].name != "token":
            head["expire_at"] = self._expiry(0)
        batch = (await self._client.get()).batch()
        batch.create(piece, fields)
        batch.update(document, head)
        async with _as_problems():
            return await _added(batch.commit(**_CALL))

    async def after(self, name: str, seq: int) -> list[Event]:
        from google.cloud.firestore_v1.base_query import FieldFilter

        document = await self._document(name)
        pieces = self._pieces(document).where(filter=FieldFilter("last", ">", seq)).order_by("last")
        found: list[Event] = []
        async with _as_problems():
            async for piece in pieces.stream(**_CALL):
                fields: dict[str, Any] = piece.to_dict() or {}
                events = [_event(text) for text in fields["events"]]
                found += events[max(0, seq + 1 - fields["first"]) :]
        return found

    async def last(self, name: str) -> tuple[int, Event] | None:
        document = await self._document(name)
        pieces = self._pieces(document).order_by("last", direction="DESCENDING").limit(1)
        async with _as_problems():
            async for piece in pieces.stream(**_CALL):
                fields: dict[str, Any] = piece.to_dict() or {}
                return fields["last"], _event(fields["events"][-1])
        return None

    async def _update(self, name: str, fields: dict[str, Any]) -> None:
        document = await self._document(name)
        async with _as_problems():
            await document.update(fields, **_CALL)

    async def _document(self, name: str) -> AsyncDocumentReference:
        async with _as_problems():
            client = await self._client.get()
        return client.collection(self._settings.firestore_collection).document(name)

    def _pieces(self, document: AsyncDocumentReference) -> AsyncCollectionReference:
        pieces: AsyncCollectionReference = document.collection(
            f"{self._settings.firestore_collection}-pieces"
        )
        return pieces

    def _expiry(self, after_s: float) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=after_s + self._settings.keep_s)


def _event(text: str) -> Event:
    name, _, data = text.partition(" ")
    return Event(name, data)


def _open(settings: Settings) -> AsyncClient:
    from google.cloud.firestore_v1.async_client import AsyncClient

    return AsyncClient(project=settings.firestore_project, database=settings.firestore_database)


async def _added(writing: Any) -> bool:
    """Whether what is written was not there yet."""
    from google.api_core.exceptions import AlreadyExists

    try:
        await writing
    except AlreadyExists:
        return False
    return True


@asynccontextmanager
async def _as_problems() -> AsyncIterator[None]:
    """What the client raises as a problem in a sentence; its own message may hold the answer's text."""
    from google.api_core.exceptions import GoogleAPICallError, NotFound, PermissionDenied, RetryError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except PermissionDenied:
        raise problems.store_unavailable(
            "Grant the service's account the role roles/datastore.user, and switch Firestore on: "
            "gcloud services enable firestore.googleapis.com"
        ) from None
    except NotFound:
        raise problems.store_unavailable(
            "There is no such database, or the answer was deleted; make one: "
            "gcloud firestore databases create --location=REGION"
        ) from None
    except (GoogleAPICallError, RetryError) as error:
        raise problems.store_unavailable(f"Firestore answered {type(error).__name__}; try again.") from None
    except (GoogleAuthError, OSError) as error:
        raise problems.store_unavailable(
            f"The service found no credentials for it ({type(error).__name__}); elsewhere than on Google "
            "Cloud run: gcloud auth application-default login"
        ) from None

"""A model on Vertex AI, asked by google-cloud-aiplatform's own asynchronous client over gRPC.

Importing this module imports that client: see `service.generate.vertex`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import google.auth
import grpc.aio
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.aiplatform_v1.services.prediction_service import PredictionServiceAsyncClient
from google.cloud.aiplatform_v1.services.prediction_service.transports.grpc_asyncio import (
    PredictionServiceGrpcAsyncIOTransport as Transport,
)
from google.cloud.aiplatform_v1.types import (
    Candidate,
    Content,
    GenerateContentRequest,
    GenerateContentResponse,
    GenerationConfig,
    HarmCategory,
    Part,
    SafetySetting,
)

from service.generate import Finish, Request
from service.generate import vertex_errors as errors
from service.problems import Problem
from service.settings import Settings

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"

# RFC 9113, 6.5.2, recommends that a server allow a connection no fewer streams than this. What is over a
# server's limit waits inside gRPC without a word, behind answers that take minutes: so a further connection.
STREAMS_PER_CONNECTION = 100

_OPTIONS = (
    # Else two channels with the same arguments share one connection.
    ("grpc.use_local_subchannel_pool", 1),
    # Else the window grows to megabytes a stream, all of it memory when a client is slow to read. Without it
    # 64 KiB are under way, and no model writes that in a round trip.
    ("grpc.http2.bdp_probe", 0),
)

_BlockedReason = GenerateContentResponse.PromptFeedback.BlockedReason


class VertexModel:
    """The model that the settings name. To be made in a thread, and used in one event loop.

    Raises:
        Problem: there are no credentials, or no project.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.model is not None  # noqa: S101  # VertexGenerator made sure
        assert settings.location is not None  # noqa: S101
        self._location = settings.location
        endpoint = settings.vertex_endpoint or host_of(settings.location)
        scheme, _, self._host = endpoint.rpartition("://")
        self._plain = scheme == "http"
        self._credentials, project = _anonymous() if self._plain else _default()
        self._model = path_of(settings.model, settings.vertex_project or project, settings.location)
        self._safety = [
            SafetySetting(
                category=getattr(HarmCategory, f"HARM_CATEGORY_{category}"),
                threshold=getattr(SafetySetting.HarmBlockThreshold, threshold),
            )
            for category, threshold in settings.safety.items()
        ]
        self._connections: list[_Connection] = []

    async def close(self) -> None:
        """Ends the connections, and what is still asked over them."""
        connections, self._connections = self._connections, []
        for connection in connections:
            await connection.client.transport.close()  # type: ignore[no-untyped-call]

    async def generate(self, request: Request) -> AsyncGenerator[str | Finish]:
        """As `Generator.generate`. Pieces are the text of Vertex AI's chunks, undivided."""
        message = self._message(request)
        reason, prompt_tokens, output_tokens = "", 0, 0
        with self._connection() as client, self._as_problems():
            # No default deadline, no retry: the API's own are for calls that are not streamed.
            call: Any = await client.stream_generate_content(message, retry=None, timeout=request.timeout_s)
            try:
                async for chunk in call:
                    if chunk is None:  # gRPC's word for a message that it could not read
                        raise errors.failed("Vertex AI sent what cannot be read.")
                    # The bare protobuf message: reading through the wrapper around it costs many times more.
                    bare = GenerateContentResponse.pb(chunk)
                    if bare.HasField("usage_metadata"):
                        usage = bare.usage_metadata
                        prompt_tokens = usage.prompt_token_count
                        # Thoughts are not shown, and are billed as output.
                        output_tokens = usage.candidates_token_count + usage.thoughts_token_count
                    if bare.candidates:
                        candidate = bare.candidates[0]
                        reason = _word(Candidate.FinishReason, candidate.finish_reason) or reason
                        text = "".join(part.text for part in candidate.content.parts if not part.thought)
                        if text:
                            yield text
                    elif bare.prompt_feedback.block_reason:
                        reason = _word(_BlockedReason, bare.prompt_feedback.block_reason)
            finally:
                # Leaving the loop does not stop the model: it would write, and bill, to the end.
                call.cancel()
        if not reason:
            raise errors.failed("Vertex AI's stream ended without saying why: the answer may lack its end.")
        yield Finish(reason, prompt_tokens, output_tokens)

    def _message(self, request: Request) -> GenerateContentRequest:
        if request.tokens_per_s is not None:
            raise Problem(
                "bad-parameter",
                422,
                "A parameter cannot be used.",
                "tokens_per_s is the embedded generator's; a model on Vertex AI writes at its own pace.",
                parameter="tokens_per_s",
            )
        if request.seed is not None and not -(2**31) <= request.seed < 2**31:
            raise Problem(
                "bad-parameter",
                422,
                "A parameter cannot be used.",
                "seed must have 32 bits for a model on Vertex AI.",
                parameter="seed",
            )
        return GenerateContentRequest(
            model=self._model,
            contents=[Content(role="user", parts=[Part(text=request.prompt)])],
            generation_config=GenerationConfig(
                max_output_tokens=request.max_output_tokens,
                temperature=request.temperature,
                top_p=request.top_p,
                top_k=request.top_k,
                seed=request.seed,
            ),
            safety_settings=self._safety,
        )

    @contextmanager
    def _connection(self) -> Iterator[PredictionServiceAsyncClient]:
        """The client of a connection that has room for one more stream."""
        connection = next((one for one in self._connections if one.streams < STREAMS_PER_CONNECTION), None)
        if connection is None:
            connection = _Connection(self._client())
            self._connections.append(connection)
        connection.streams += 1
        try:
            yield connection.client
        finally:
            connection.streams -= 1

    def _client(self) -> PredictionServiceAsyncClient:
        def channel(host: str, **given: Any) -> grpc.aio.Channel:
            if self._plain:
                return grpc.aio.insecure_channel(host, (*given["options"], *_OPTIONS))
            return Transport.create_channel(host, **{**given, "options": [*given["options"], *_OPTIONS]})

        return PredictionServiceAsyncClient(
            credentials=self._credentials,
            client_options=ClientOptions(api_endpoint=self._host),
            transport=lambda **given: Transport(**given, channel=channel),
        )

    @contextmanager
    def _as_problems(self) -> Iterator[None]:
        try:
            yield
        except GoogleAPICallError as error:
            raise errors.refused(error, model=self._model, location=self._location) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # gRPC raises the same when the connection was closed on our side: this task is not meant.
            raise errors.failed("The connection to Vertex AI was closed.") from None


@dataclass(slots=True)
class _Connection:
    """A connection of its own, and how many answers come over it."""

    client: PredictionServiceAsyncClient
    streams: int = 0


def host_of(location: str) -> str:
    """The API's host for a location, as google-genai 2.34 (_api_client.py) chooses it."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in ("us", "eu"):
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


def path_of(model: str, project: str | None, location: str) -> str:
    """The model's resource name: "NAME" is one of Google's; "publishers/…" and "projects/…" say more.

    Raises:
        Problem: a project is needed, and none was named.
    """
    if model.startswith("projects/"):
        return model
    if not project:
        raise errors.no_project()
    inside = model if model.startswith("publishers/") else f"publishers/google/models/{model}"
    return f"projects/{project}/locations/{location}/{inside}"


def _default() -> tuple[Credentials, str | None]:
    try:
        credentials, project = google.auth.default(scopes=[_SCOPE])
        # Asked of the metadata server the first time: here, because the client would in the event loop.
        _ = credentials.universe_domain
    except GoogleAuthError as error:
        raise errors.no_credentials(error) from None
    return credentials, project


def _anonymous() -> tuple[Credentials, None]:
    return AnonymousCredentials(), None  # type: ignore[no-untyped-call]


def _word(kind: Any, number: int) -> str:
    """The API's own word; the number where this version of the package knows none, "" for 0 (unspecified)."""
    if not number:
        return ""
    try:
        return str(kind(number).name)
    except ValueError:
        return str(number)

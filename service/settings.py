"""The environment (STREAMPROOF_*) as Settings, checked once at start."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "STREAMPROOF_"
_SECRET = (f"{PREFIX}PROOF_TOKEN", f"{PREFIX}TOKEN_SHA256")
PROJECT = r"^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$"
# What a pattern is for, in words: by the setting.
_FORMS = {
    "target": "a name of small letters, digits and hyphens, such as run-eu",
    "model": "a model's name, such as gemini-2.5-flash, or its path (publishers/…)",
    "location": "a location, such as europe-west1 or global",
    "vertex_project": "a project's ID, such as my-project-42",
    "vertex_endpoint": "a host with or without a port, such as example.org:443, or http:// and this machine",
    "firestore_project": "a project's ID, such as my-project-42",
    "firestore_database": "(default), or a database's ID of small letters, digits and hyphens",
    "firestore_collection": "a collection's name of letters, digits, hyphens and underscores",
    "token_sha256": "64 hexadecimal digits, as sha256sum prints them",
    "google_audience": "a text without blanks, such as https://service.example.org",
    "bundle": "12 to 128 hexadecimal digits in small letters",
}
# pydantic's words for what a value should have been, and plain ones.
_PLAIN = {
    "bool_parsing": "should be true or false",
    "float_parsing": "should be a number",
    "int_parsing": "should be a whole number",
    "int_from_float": "should be a whole number",
    "missing": "should be set",
}

# What a request may ask for, and a setting may set.
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
TopP = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
TopK = Annotated[int, Field(ge=1, le=1000)]

# google.cloud.aiplatform_v1.types: HarmCategory and SafetySetting.HarmBlockThreshold.
HarmCategory = Literal[
    "HATE_SPEECH", "DANGEROUS_CONTENT", "HARASSMENT", "SEXUALLY_EXPLICIT", "CIVIC_INTEGRITY", "JAILBREAK"
]
Threshold = Literal["BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"]


class SettingsError(Exception):
    """One sentence, for a person, that names each variable at fault and what it should hold."""


class Settings(BaseSettings):
    """What may be set by STREAMPROOF_<NAME>. Unknown names are left alone: others use the prefix too.

    docs/configuration.md has the words below.

    Attributes:
        target: which target this runs on; unless set, found by the platform's own variables.
        generator: who writes the text: `embedded`, or `vertex` for a model on Vertex AI, asked with
            application default credentials.
        model: for `vertex`: the name of one of Google's models, or a resource name from `publishers/` or
            `projects/` on (a tuned model's endpoint).
        location: for `vertex`: where it is asked, such as `europe-west1` or `global`.
        vertex_project: where the model is paid for; the credentials' own project unless set.
        vertex_endpoint: the API's host, with a port or without, where it is not the location's own;
            `http://127.0.0.1:PORT` is a server on this machine, which is sent no credentials.
        safety: what Vertex AI blocks, as `HARASSMENT=BLOCK_ONLY_HIGH,HATE_SPEECH=OFF`: its harm categories
            without `HARM_CATEGORY_`, and its thresholds. What is not named is blocked as Vertex AI does by
            itself.
        lab: whether this runs in the lab, where the proof is open.
        proof_until: the proof is open until then, in epoch seconds.
        proof_token: 16 or more visible ASCII characters that open the proof without a date, to requests that
            show them in the header `Streamproof-Token`, and to no others.
        first_token_ms: the embedded generator's time to its first token, in milliseconds.
        tokens_per_s: its tokens a second after that.
        max_output_tokens: tokens of an answer at most, unless the request says otherwise.
        temperature, top_p, top_k: how a model samples, unless the request says otherwise.
        max_prompt_chars: a longer prompt is refused.
        max_streams: answers streamed at once; one more is refused with 503 and Retry-After.
        heartbeat_s: seconds of silence after which a comment is sent, so that no proxy closes the connection
            as idle.
        deadline_s: seconds after which an answer ends with an `error` event; meant to lie just below the
            platform's own request timeout.
        resume: whether a stream that was interrupted goes on for a client that comes back with
            `Last-Event-ID` ([polling.md](polling.md)). Every stream is then kept, and its generator goes on
            for the grace when its client leaves.
        leave_grace_s: for how many seconds a kept answer is still written after the last request for it
            ended.
        keep_s: for how many seconds it is kept after its end.
        answer_deadline_s: after how many seconds a kept answer ends with an `error` event; no request bounds
            it, so this may be longer than the deadline above.
        store: where kept answers are: `memory` is each instance's own; `firestore` holds a copy that every
            instance reads. Of an answer its text is stored, never the prompt ([deploying.md](deploying.md)
            has the lines that it takes).
        firestore_project: the project of that Firestore; the credentials' own unless set.
        firestore_database, firestore_collection: where in it.
        max_answers: answers that an instance keeps; the one that ended first makes room, and where none has,
            a new one is refused with 503.
        answers_mib: memory for all of them; what does not fit ends with an `error` event. 250 answers of
            1,024 tokens take some 36.
        shutdown_grace_s: seconds that running answers have after SIGTERM; gunicorn's graceful_timeout must be
            larger, and the platform's own grace at least as large as that.
        token_sha256: the SHA-256, 64 hexadecimal digits, of a token: `/search` and the proof then want
            `Authorization: Bearer TOKEN`. `/health`, `/ready`, `/whoami` and the page stay open.
        google_audience: whom a Google ID token is meant for, which callers may show as their `TOKEN` (instead
            of the one above, where both are set): an OAuth client's ID, or the service's URL. It needs the
            packages google-auth and requests, which a bundle with this variable has.
        google_emails: whose ID tokens are let in, as `one@example.org,other@example.org`; there must be one.
            Google must have verified the address.
        get_search: whether `/search` answers GET. A GET has its prompt in the URL, and everyone who has the
            link can spend money.
        bundle: a digest of what is deployed; `/whoami` shows its first twelve characters. Where neither
            the platform nor STREAMPROOF_VERSION names a version, it is the version.
        cors_origins: pages of which origins may call the service from a browser, as
            `https://a.example,http://127.0.0.1:8765`; `*` for all. No cookies are taken.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    target: Annotated[str | None, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")] = None
    generator: Literal["embedded", "vertex"] = "embedded"
    model: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]*(/[A-Za-z0-9._@:-]+)*$")] = None
    location: Annotated[str | None, Field(pattern=r"^[a-z]+(-[a-z]+[0-9]+)?$")] = None
    vertex_project: Annotated[str | None, Field(pattern=PROJECT)] = None
    vertex_endpoint: Annotated[
        str | None, Field(pattern=r"^(http://(127\.0\.0\.1|localhost):[0-9]+|[a-z0-9.-]+(:[0-9]+)?)$")
    ] = None
    safety: Annotated[dict[HarmCategory, Threshold], NoDecode] = Field(default_factory=dict)
    lab: bool = False
    proof_until: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    proof_token: str | None = None
    first_token_ms: Annotated[float, Field(ge=0, le=600_000, allow_inf_nan=False)] = 300
    tokens_per_s: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] = 30
    max_output_tokens: Annotated[int, Field(ge=1, le=65_536)] = 1024
    temperature: Temperature = 0.2
    top_p: TopP = 0.8
    top_k: TopK = 40
    max_prompt_chars: Annotated[int, Field(ge=1, le=1_000_000)] = 8_000
    max_streams: Annotated[int, Field(ge=1, le=100_000)] = 250
    heartbeat_s: Annotated[float, Field(ge=0.001, le=3600, allow_inf_nan=False)] = 15
    deadline_s: Annotated[float | None, Field(gt=0, le=90_000, allow_inf_nan=False)] = None
    resume: bool = False
    leave_grace_s: Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)] = 15
    keep_s: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 600
    answer_deadline_s: Annotated[float, Field(gt=0, le=90_000, allow_inf_nan=False)] = 3600
    store: Literal["memory", "firestore"] = "memory"
    firestore_project: Annotated[str | None, Field(pattern=PROJECT)] = None
    firestore_database: Annotated[str, Field(pattern=r"^(\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$")] = (
        "(default)"
    )
    firestore_collection: Annotated[str, Field(pattern=r"^[A-Za-z0-9-][A-Za-z0-9_-]{0,199}$")] = (
        "streamproof-answers"
    )
    max_answers: Annotated[int, Field(ge=1, le=100_000)] = 1000
    answers_mib: Annotated[int, Field(ge=1, le=65_536)] = 64
    shutdown_grace_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 8
    token_sha256: Annotated[str | None, Field(pattern=r"^[0-9a-fA-F]{64}$")] = None
    google_audience: Annotated[str | None, Field(pattern=r"^[!-~]+$")] = None
    google_emails: Annotated[tuple[str, ...], NoDecode] = ()
    get_search: bool = True
    bundle: Annotated[str | None, Field(pattern=r"^[0-9a-f]{12,128}$")] = None
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()

    @field_validator("cors_origins", "google_emails", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("safety", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        return {category.strip(): threshold.strip() for category, _, threshold in pairs}

    @field_validator("proof_token")
    @classmethod
    def _shown(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[!-~]{16,}", value):
            raise ValueError("should be 16 or more visible ASCII characters")
        return value

    @field_validator("google_emails")
    @classmethod
    def _emails(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for email in value:
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
                raise ValueError("should hold addresses like someone@example.org, with commas between")
        return tuple(email.lower() for email in value)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not re.fullmatch(r"https?://[^/\s?#]+", origin):
                raise ValueError("should hold origins like https://example.org, with commas between, or *")
        return value


def load() -> Settings:
    """The environment as Settings.

    Raises:
        SettingsError: a variable holds what it may not.
    """
    try:
        return Settings()
    except ValidationError as bad:
        raise SettingsError(_sentence(bad)) from None


def installed(package: str) -> bool:
    """Whether a package can be imported, without importing it; its parents are."""
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even its parent
        return False


def _sentence(bad: ValidationError) -> str:
    faults = []
    for error in bad.errors(include_url=False, include_context=False):
        name = PREFIX + str(error["loc"][0]).upper()
        reason = _PLAIN.get(error["type"]) or error["msg"].removeprefix("Value error, ").removeprefix(
            "Input "
        )
        if error["type"] == "string_pattern_mismatch":
            reason = f"should be {_FORMS[str(error['loc'][0])]}"
        # A token has no place in the log: where one stands for its digest, too.
        found = "of another form" if name in _SECRET else repr(error["input"])
        faults.append(f"{name} is {found}, but it {reason}")
    return "; ".join(faults) + "."

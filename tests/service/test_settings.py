"""What the environment may set, and what is said when it sets nonsense."""

from __future__ import annotations

import subprocess
import sys

import pytest

from service.settings import _FORMS, Settings, SettingsError, load


def test_without_any_variable_the_settings_are_the_documented_ones() -> None:
    settings = load()
    assert settings == Settings(
        target=None,
        generator="embedded",
        model=None,
        location=None,
        vertex_project=None,
        vertex_endpoint=None,
        safety={},
        temperature=0.2,
        top_p=0.8,
        top_k=40,
        lab=False,
        proof_until=0,
        first_token_ms=300,
        tokens_per_s=30,
        max_output_tokens=1024,
        max_prompt_chars=8000,
        max_streams=250,
        heartbeat_s=15,
        deadline_s=None,
        resume=False,
        leave_grace_s=15,
        keep_s=600,
        answer_deadline_s=3600,
        answers_mib=64,
        store="memory",
        firestore_project=None,
        firestore_database="(default)",
        firestore_collection="streamproof-answers",
        max_answers=1000,
        shutdown_grace_s=8,
        proof_token=None,
        token_sha256=None,
        google_audience=None,
        google_emails=(),
        get_search=True,
        bundle=None,
        cors_origins=(),
    )


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name != "generator"])
def test_every_setting_has_a_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {
        "target": "run-eu",
        "model": "publishers/google/models/m-1.5",
        "location": "europe-west1",
        "vertex_project": "my-project-42",
        "vertex_endpoint": "example.org:443",
        "safety": "HARASSMENT=OFF",
        "temperature": "1.5",
        "top_p": "0.5",
        "lab": "1",
        "token_sha256": "a" * 64,
        "proof_token": "a" * 16,
        "google_emails": "one@example.org",
        "get_search": "false",
        "resume": "true",
        "store": "firestore",
        "firestore_project": "my-project-42",
        "firestore_database": "answers",
        "firestore_collection": "answers",
        "bundle": "a" * 64,
        "cors_origins": "https://a.example",
    }.get(name, "5")
    monkeypatch.setenv(f"STREAMPROOF_{name.upper()}", value)
    assert getattr(load(), name) != getattr(Settings.model_construct(), name)


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPROOF_CORS_ORIGINS", "https://a.example, http://localhost:5173/ ,")
    assert load().cors_origins == ("https://a.example", "http://localhost:5173")


def test_addresses_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPROOF_GOOGLE_EMAILS", "One@Example.org, two@example.org,")
    assert load().google_emails == ("one@example.org", "two@example.org")


def test_what_is_blocked_is_a_list_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPROOF_SAFETY", "HARASSMENT = BLOCK_ONLY_HIGH, JAILBREAK=OFF,")
    assert load().safety == {"HARASSMENT": "BLOCK_ONLY_HIGH", "JAILBREAK": "OFF"}


def test_a_prompt_can_be_sent_in_the_clear_to_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPROOF_VERTEX_ENDPOINT", "http://127.0.0.1:8080")
    assert load().vertex_endpoint == "http://127.0.0.1:8080"
    monkeypatch.setenv("STREAMPROOF_VERTEX_ENDPOINT", "http://example.org:8080")
    with pytest.raises(SettingsError, match="STREAMPROOF_VERTEX_ENDPOINT"):
        load()


def test_variables_that_others_put_under_the_prefix_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPROOF_BIND", "127.0.0.1")
    assert load() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TARGET", "No Target"),
        ("GENERATOR", "oracle"),
        ("LAB", "perhaps"),
        ("PROOF_UNTIL", "tomorrow"),
        ("PROOF_UNTIL", "-1"),
        ("PROOF_UNTIL", "inf"),
        ("FIRST_TOKEN_MS", "-1"),
        ("FIRST_TOKEN_MS", "nan"),
        ("TOKENS_PER_S", "0"),
        ("TOKENS_PER_S", "inf"),
        ("MODEL", "../else"),
        ("LOCATION", "europe-west1.example.org"),
        ("VERTEX_PROJECT", "a/b"),
        ("VERTEX_ENDPOINT", "example.org/path"),
        ("TEMPERATURE", "2.1"),
        ("TOP_P", "nan"),
        ("TOP_K", "0"),
        ("MAX_OUTPUT_TOKENS", "0"),
        ("MAX_OUTPUT_TOKENS", "1.5"),
        ("MAX_PROMPT_CHARS", "0"),
        ("MAX_STREAMS", "0"),
        ("HEARTBEAT_S", "0"),
        ("HEARTBEAT_S", "0.000001"),
        ("DEADLINE_S", "0"),
        ("DEADLINE_S", "never"),
        ("SHUTDOWN_GRACE_S", "-1"),
        ("GET_SEARCH", "perhaps"),
        ("BUNDLE", "latest"),
        ("GOOGLE_AUDIENCE", "an audience"),
        ("GOOGLE_EMAILS", "example.org"),
        ("GOOGLE_EMAILS", "a@example.org b@example.org"),
        ("CORS_ORIGINS", "example.org"),
        ("CORS_ORIGINS", "https://example.org/path"),
    ],
)
def test_an_unusable_value_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"STREAMPROOF_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load()
    sentence = str(caught.value)
    assert f"STREAMPROOF_{name} is " in sentence
    assert value in sentence
    assert "\n" not in sentence
    assert ", but it should " in sentence
    assert not any(word in sentence for word in ("pattern", "parse", "String", "Input", "interpret"))


def test_every_pattern_has_its_form_in_words() -> None:
    patterns = {
        name
        for name, model in Settings.model_fields.items()
        if any(getattr(one, "pattern", None) for one in model.metadata)
    }
    assert patterns == _FORMS.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("TOKEN_SHA256", value)
            for value in ("a" * 63, "a" * 65, "g" * 64, f"{'a' * 64}\n", "my token itself")
        ),
        *(
            ("PROOF_TOKEN", value)
            for value in ("fifteen-letters", "not all are visible", "ein-schlüssel-hier")
        ),
    ],
)
def test_an_unusable_secret_is_not_repeated(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"STREAMPROOF_{name}", value)
    with pytest.raises(SettingsError, match=f"STREAMPROOF_{name} is of another form") as caught:
        load()
    assert value.strip() not in str(caught.value)


def test_all_values_that_cannot_be_used_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPROOF_HEARTBEAT_S", "soon")
    monkeypatch.setenv("STREAMPROOF_MAX_STREAMS", "many")
    with pytest.raises(SettingsError, match=r"STREAMPROOF_MAX_STREAMS.*STREAMPROOF_HEARTBEAT_S"):
        load()


def test_a_service_that_cannot_start_halts_gunicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPROOF_HEARTBEAT_S", "soon")
    started = subprocess.run(
        [sys.executable, "-c", "import service.main"], capture_output=True, text=True, check=False
    )
    assert started.returncode == 3  # gunicorn's own status for "does not boot": it gives up
    assert started.stderr.startswith("CRITICAL streamproof cannot start: STREAMPROOF_HEARTBEAT_S is 'soon'")
    assert started.stderr.count("\n") == 1

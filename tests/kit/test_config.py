"""Who has the say, what is refused and in which words."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.config import Config, load_config
from kit.errors import Code, KitError
from kit.targets import get, load_targets


@pytest.fixture
def gcloud(tmp_path: Path) -> dict[str, str]:
    """An environment in which gcloud has a project and a region of its own."""
    folder = tmp_path / "gcloud"
    (folder / "configurations").mkdir(parents=True)
    (folder / "configurations" / "config_default").write_text(
        "[core]\nproject = of-gcloud\n[run]\nregion = asia-east1\n"
    )
    return {"CLOUDSDK_CONFIG": str(folder)}


def write(folder: Path, text: str) -> None:
    (folder / "kit.toml").write_text(text, encoding="utf-8")


def refused(
    folder: Path, flags: dict[str, object] | None = None, env: dict[str, str] | None = None
) -> KitError:
    with pytest.raises(KitError) as error:
        load_config(flags or {}, env or {}, folder)
    assert error.value.code is Code.BAD_CONFIG
    return error.value


def test_nothing_said_is_the_defaults(tmp_path: Path) -> None:
    assert load_config({}, {}, tmp_path) == Config()


def test_the_flag_beats_the_environment_beats_the_file_beats_gcloud(
    tmp_path: Path, gcloud: dict[str, str]
) -> None:
    write(tmp_path, 'project = "of-the-file"\n')
    everywhere = {**gcloud, "KIT_PROJECT": "of-kit-env", "GOOGLE_CLOUD_PROJECT": "of-google-env"}

    def project(flags: dict[str, object], env: dict[str, str]) -> tuple[str | None, str | None]:
        config = load_config(flags, env, tmp_path)
        return config.project, config.project_source

    assert project({"project": "of-the-flag"}, everywhere) == ("of-the-flag", "--project")
    assert project({"project": None}, everywhere) == ("of-kit-env", "KIT_PROJECT")
    del everywhere["KIT_PROJECT"]
    assert project({}, everywhere) == ("of-google-env", "GOOGLE_CLOUD_PROJECT")
    assert project({}, gcloud) == ("of-the-file", "kit.toml")
    (tmp_path / "kit.toml").unlink()
    assert project({}, gcloud) == ("of-gcloud", "gcloud's configuration")


def test_a_project_is_implied_when_it_was_not_named_for_the_kit(
    tmp_path: Path, gcloud: dict[str, str]
) -> None:
    assert load_config({}, gcloud, tmp_path).project_implied
    assert load_config({}, {"GOOGLE_CLOUD_PROJECT": "of-google-env"}, tmp_path).project_implied
    assert not load_config({}, {"KIT_PROJECT": "of-kit-env"}, tmp_path).project_implied
    assert not load_config({"project": "of-the-flag"}, gcloud, tmp_path).project_implied
    assert not load_config({}, {}, tmp_path).project_implied


def test_gclouds_region_serves_where_none_was_said(tmp_path: Path, gcloud: dict[str, str]) -> None:
    assert load_config({}, gcloud, tmp_path).region == "asia-east1"
    assert load_config({"region": "europe-west1"}, gcloud, tmp_path).region == "europe-west1"


def test_a_strange_project_of_somebody_elses_stops_nobody(tmp_path: Path) -> None:
    env = {"GOOGLE_CLOUD_PROJECT": "NOT a project", "CLOUDSDK_CORE_PROJECT": "(unset)"}
    assert load_config({}, env, tmp_path).project is None


def test_every_plain_setting_can_stand_in_the_file_and_in_the_environment(tmp_path: Path) -> None:
    wanted: dict[str, Any] = {
        "project": "my-project-42",
        "region": "europe-west1",
        "generator": "embedded",
        "workers": 2,
        "instances": 3,
        "first_token_ms": 5,
        "tokens_per_s": 2.5,
        "max_output_tokens": 7,
        "python": "3.12",
    }
    from_env = load_config({}, {f"KIT_{key.upper()}": str(value) for key, value in wanted.items()}, tmp_path)
    write(tmp_path, "\n".join(f"{key} = {value!r}" for key, value in wanted.items()))
    from_file = load_config({}, {}, tmp_path)
    for key, value in wanted.items():
        assert getattr(from_env, key) == getattr(from_file, key) == value


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert load_config({}, {"KIT_WORKERS": "", "GOOGLE_CLOUD_PROJECT": ""}, tmp_path) == Config()


def test_variables_of_the_service_come_from_file_environment_and_flags(tmp_path: Path) -> None:
    write(tmp_path, '[env]\nA = "file"\nB = "file"\nC = "file"\n')
    config = load_config({"env": ["C=flag=1"]}, {"KIT_ENV": "B=env C=env D="}, tmp_path)
    assert config.env == {"A": "file", "B": "env", "C": "flag=1", "D": ""}


def test_a_targets_own_settings_override_its_defaults(tmp_path: Path) -> None:
    write(tmp_path, '[targets.standard]\ninstance_class = "F4"\n[targets.flex]\nmemory_gb = 2\n')
    config = load_config({}, {}, tmp_path)
    assert config.of(get("standard"))["instance_class"] == "F4"
    assert config.of(get("standard"))["service"] == get("standard").defaults["service"]
    assert config.of(get("flex"))["memory_gb"] == 2.0
    assert config.of(get("run")) == get("run").defaults


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("worker = 2", "worker is not a known key", "'workers'"),
        ("workers = 'two'", "workers is 'two'", "a whole number"),
        ("workers = 0", "workers is 0", "from 1 to 64"),
        ("workers = true", "workers is True", "a whole number"),
        ("tokens_per_s = nan", "tokens_per_s is nan", "a number"),
        ("python = '2.7'", "python is '2.7'", '"3.13"'),
        ("generator = 'gpt'", "generator is 'gpt'", '"embedded"'),
        ("env = 3", "env is 3", "a table"),
        ("[env]\nA = 1", "env.A is 1", "a text in quotes"),
        ("[targets.standart]", "targets.standart is not a known key", "'standard'"),
        ("[targets.flex]\ncpus = 2", "targets.flex.cpus is not a known key", "'cpu'"),
        ("[targets.flex]\ncpu = 'two'", "targets.flex.cpu is 'two'", "a whole number"),
        ("workers = ]", "line 1", "Correct the file"),
        ("workers = 1\nworkers = 2", "Cannot overwrite a value", "Correct the file"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_in_a_sentence(
    tmp_path: Path, text: str, said: str, hint: str
) -> None:
    write(tmp_path, text)
    error = refused(tmp_path)
    assert "kit.toml" in error.message
    assert said in error.message
    assert hint in error.hint


def test_a_file_that_is_not_text_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "kit.toml").write_bytes(b"\xff\xfe")
    assert "cannot be read as TOML" in refused(tmp_path).message


def test_a_folder_called_kit_toml_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "kit.toml").mkdir()
    assert "kit.toml cannot be read" in refused(tmp_path).message


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, env={"KIT_WORKERS": "two"})
    assert error.message == "KIT_WORKERS is 'two'."
    assert error.hint == "Expected a whole number from 1 to 64."


def test_a_bad_flag_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, {"first_token_ms": -1}).message == "--first-token-ms is -1."


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("A", "--env is 'A'"),
        ("1A=x", "'1A' cannot be the name"),
        ("Ä=x", "'Ä' cannot be the name"),
        ("A\n=x", "cannot be the name"),
        ("=x", "'' cannot be the name"),
        ("PORT=1", "PORT is set by the platform"),
        ("GAE_ENV=standard", "GAE_ENV is set by the platform"),
        ("K_SERVICE=x", "K_SERVICE is set by the platform"),
        ("STREAMPROOF_LAB=1", "STREAMPROOF_LAB is set by the platform or by the kit"),
        ("STREAMPROOF_WORKERS=2", "is made from the setting workers"),
        ("A=\0", "A holds a character that no process can be given"),
        ("A=\udcff", "A holds a character that no process can be given"),
    ],
)
def test_a_variable_that_cannot_be_given_is_refused(tmp_path: Path, pair: str, said: str) -> None:
    assert said in refused(tmp_path, {"env": [pair]}).message


@given(st.text() | st.from_regex(r"\[?(env|targets|workers)(\.[a-z]+)?\]? ?=? ?[\"'0-9\[{].*"))
def test_no_file_brings_anything_but_a_configuration_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "kit.toml").write_bytes(text.encode(errors="surrogateescape" if text.isascii() else "replace"))
    try:
        load_config({}, {}, folder)
    except KitError as error:
        told = error
    else:
        return
    assert told.code is Code.BAD_CONFIG


PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()


def test_the_page_names_every_plain_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|\s*(.*?)\s*\|", PAGE, re.M))
    plain = {field.name for field in fields(Config)} - {"project_source", "project_implied", "env", "targets"}
    assert set(rows) == plain
    for name, default in rows.items():
        wanted = getattr(Config(), name)
        assert default == ("" if wanted is None else f"`{json.dumps(wanted).removesuffix('.0')}`")


def test_the_page_names_every_targets_own_settings_with_their_defaults() -> None:
    for name, target in load_targets().items():
        keys = ", ".join(f"`{key} = {json.dumps(value)}`" for key, value in target.defaults.items())
        assert f"| `[targets.{name}]` | {keys} |" in PAGE


def test_the_pages_example_is_accepted(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    write(tmp_path, example)
    config = load_config({}, {}, tmp_path)
    assert config.project == "my-project-42"
    assert config.env == {"GREETING": "hello"}
    assert config.of(get("standard"))["instance_class"] == "F2"

"""Who has the say, what is refused and in which words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.config import Config, load_config
from kit.errors import Code, Exit, KitError
from kit.targets import Target, get, load_targets


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


def test_a_wrong_project_that_was_not_set_for_the_kit_is_passed_over(tmp_path: Path) -> None:
    env = {"GOOGLE_CLOUD_PROJECT": "NOT a project", "CLOUDSDK_CORE_PROJECT": "(unset)"}
    assert load_config({}, env, tmp_path).project is None


def test_every_plain_setting_can_stand_in_the_file_and_in_the_environment(tmp_path: Path) -> None:
    wanted: dict[str, Any] = {
        "project": "my-project-42",
        "region": "europe-west1",
        "generator": "vertex",
        "model": "publishers/google/models/some-model",
        "location": "europe-west1",
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


def test_a_file_of_variables_is_for_this_machine_and_shown_nowhere(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# mine\nexport KEY='s3cret'\nB=2\n")
    config = load_config({"env_file": ".env", "env": ["A=1"]}, {}, tmp_path)
    assert (config.env, config.local_env) == ({"A": "1"}, {"KEY": "s3cret", "B": "2"})
    assert "s3cret" not in repr(config)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "not-there cannot be read: No such file or directory."),
        (b"A=1\nnonsense s3cret\n", "not-there cannot be read: line 2 is not of the form NAME=VALUE."),
        (b"\xff\xfe\x00", "not-there cannot be read: it is no text."),
        (b"PORT=1", "PORT is set by the platform"),
    ],
)
def test_a_file_of_variables_that_is_none_is_a_usage_error(
    tmp_path: Path, text: bytes | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "not-there").write_bytes(text)
    error = refused(tmp_path, {"env_file": "not-there"})
    assert said in error.message
    assert "s3cret" not in error.message
    assert error.exit is Exit.USAGE


def test_a_targets_own_settings_override_its_defaults(tmp_path: Path) -> None:
    write(tmp_path, '[targets.standard]\ninstance_class = "F4"\n[targets.flex]\nmemory_gb = 2\n')
    config = load_config({}, {}, tmp_path)
    assert config.of(get("standard"))["instance_class"] == "F4"
    assert config.of(get("standard"))["service"] == get("standard").defaults["service"]
    assert config.of(get("flex"))["memory_gb"] == 2.0
    assert config.of(get("run")) == get("run").defaults


def test_a_targets_own_setting_may_be_set_by_a_flag_before_the_environment_before_the_file(
    tmp_path: Path,
) -> None:
    write(tmp_path, '[targets.run]\ncpu = 2\nconcurrency = 3\ntimeout_s = 30\nservice = "of-the-file"\n')
    env = {"KIT_SET": "run.cpu=4 run.memory=2Gi\trun.concurrency=5"}
    config = load_config({"set": ["run.cpu=0.5", "run.concurrency=1", "run.memory=512Mi"]}, env, tmp_path)
    of_run = config.of(get("run"))
    assert (of_run["cpu"], of_run["concurrency"], of_run["memory"]) == (0.5, 1, "512Mi")
    assert (of_run["timeout_s"], of_run["service"]) == (30, "of-the-file")
    of_run = load_config({}, env, tmp_path).of(get("run"))
    assert (of_run["cpu"], of_run["concurrency"], of_run["memory"]) == (4, 5, "2Gi")


@pytest.mark.parametrize("target", load_targets().values(), ids=list(load_targets()))
def test_a_target_has_as_many_instances_as_all_have_unless_it_has_its_own(
    target: Target, tmp_path: Path
) -> None:
    config = load_config({"instances": 3, "set": ["run.max_instances=2"]}, {}, tmp_path)
    (name,) = [name for name, setting in target.settings.items() if setting.follows == "instances"]
    assert config.of(target)[name] == (2 if target.name == "run" else 3)


def test_a_number_without_a_fraction_is_whole_however_it_is_written(tmp_path: Path) -> None:
    write(tmp_path, "[targets.run]\ncpu = 2.0\n")
    assert repr(load_config({}, {}, tmp_path).of(get("run"))["cpu"]) == "2"
    assert repr(load_config({"set": ["run.cpu=2.0"]}, {}, tmp_path).of(get("run"))["cpu"]) == "2"


def test_a_request_lasts_as_long_as_its_targets_setting_lets_it(tmp_path: Path) -> None:
    config = load_config({"set": ["run.timeout_s=900"]}, {}, tmp_path)
    assert config.deadline_s(get("run")) == 900
    assert config.deadline_s(get("flex")) == get("flex").front.deadline_s


@pytest.mark.parametrize(
    ("pair", "said", "hint"),
    [
        ("run.cpu=3", "--set run.cpu is 3.", "1, 2, 4, 6 or 8, or a number from 0.08 to 1"),
        ("run.cpu=0.07", "--set run.cpu is 0.07.", "from 0.08 to 1"),
        ("run.cpu=two", "--set run.cpu is 'two'.", "from 0.08 to 1"),
        ("run.cpu=nan", "--set run.cpu is nan.", "from 0.08 to 1"),
        ("run.cpu=", "--set run.cpu is ''.", "from 0.08 to 1"),
        ("run.memory=512", "--set run.memory is '512'.", "512Mi or 2Gi"),
        ("run.timeout_s=3601", "--set run.timeout_s is 3601.", "from 1 to 3,600"),
        ("run.timeout_s=0", "--set run.timeout_s is 0.", "from 1 to 3,600"),
        ("run.service=1st", "--set run.service is '1st'.", "a letter first"),
        (f"run.service={'a' * 36}", "--set run.service is", "up to 35"),
        ("run.service_account=me", "--set run.service_account is 'me'.", "gserviceaccount.com"),
        ("standard.instance_class=B1", "--set standard.instance_class is 'B1'.", '"F4" or "F4_1G"'),
        ("standard.service=-x", "--set standard.service is '-x'.", "without a hyphen at either end"),
        (f"flex.service={'a' * 64}", "--set flex.service is", "up to 63"),
        ("flex.cpu=3", "--set flex.cpu is 3.", "an even number up to 32"),
        ("flex.min_instances=0", "--set flex.min_instances is 0.", "from 1 to 1,000"),
        ("flex.disk_size_gb=9", "--set flex.disk_size_gb is 9.", "from 10 to 10,240"),
        ("run.cpus=1", "--set run.cpus: 'cpus' is not a setting of run.", "'cpu'"),
        ("runn.cpu=1", "--set runn.cpu: 'runn' is not a target.", "'run'"),
        ("cpu=1", "--set cpu: 'cpu' is not a target.", "run"),
        ("run=1", "--set run: '' is not a setting of run.", "concurrency"),
        ("run.cpu", "--set is 'run.cpu'.", "TARGET.KEY=value"),
    ],
)
def test_what_a_target_may_not_be_set_to_is_said_by_the_name_that_was_typed(
    tmp_path: Path, pair: str, said: str, hint: str
) -> None:
    error = refused(tmp_path, {"set": [pair]})
    assert said in error.message
    assert hint in error.hint
    assert error.exit is Exit.USAGE
    by_variable = refused(tmp_path, env={"KIT_SET": pair})
    assert by_variable.message == error.message.replace("--set", "KIT_SET")
    assert by_variable.exit is Exit.USAGE


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            ("run.cpu=0.5",),
            "run.cpu is 0.5, run.concurrency is 80, which do not go together: With less than 1",
        ),
        (
            ("run.memory=8Gi",),
            "run.cpu is 1, run.memory is 8Gi, which do not go together: The memory needs more",
        ),
        (("run.cpu=0.4", "run.concurrency=1", "run.memory=1Gi"), "The memory needs more CPU"),
        (("run.cpu=4",), "run.cpu is 4, run.memory is 512Mi, which do not go together: The CPU needs more"),
        (("run.memory=64Mi",), "128Mi at least"),
        (
            ("run.min_instances=2",),
            "run.min_instances is 2, run.max_instances is 1, which do not go together",
        ),
        (("flex.memory_gb=7",), "memory_gb may be 6.5 × cpu − 0.4 at most"),
        (("flex.cpu=4",), "memory_gb must be cpu − 0.4 at least"),
        (("standard.min_instances=2",), "min_instances must not be above max_instances"),
    ],
)
def test_settings_that_do_not_go_together_are_said_in_a_sentence(
    tmp_path: Path, wanted: tuple[str, ...], said: str
) -> None:
    error = refused(tmp_path, {"set": list(wanted)})
    assert said in error.message
    assert error.exit is Exit.USAGE
    sections = (re.sub(r"(\w+)\.(\w+)=(.*)", r"targets.\1.\2='\3'", pair) for pair in wanted)
    write(tmp_path, re.sub(r"'([0-9.]+)'", r"\1", "\n".join(sections)))
    in_file = refused(tmp_path)
    assert in_file.message == error.message
    assert in_file.exit is Exit.FAILED


@pytest.mark.parametrize(
    "wanted",
    [
        ("run.cpu=0.08", "run.concurrency=1"),
        ("run.cpu=0.5", "run.concurrency=1", "run.memory=1Gi"),
        ("run.memory=4Gi",),
        ("run.cpu=8", "run.memory=32Gi"),
        ("run.cpu=6", "run.memory=4096Mi"),
        ("run.service_account=42-compute@developer.gserviceaccount.com",),
        ("standard.service_account=my-project-42@appspot.gserviceaccount.com", "standard.service=default"),
        ("flex.service_account=me@my-project-42.iam.gserviceaccount.com",),
        ("flex.memory_gb=0.5",),
        ("flex.cpu=36", "flex.memory_gb=100"),
        ("flex.min_instances=2", "flex.max_instances=2"),
        ("run.service_account=",),
    ],
)
def test_what_the_platforms_take_may_be_set(tmp_path: Path, wanted: tuple[str, ...]) -> None:
    config = load_config({"set": list(wanted)}, {}, tmp_path)
    for pair in wanted:
        name, key, value = re.split(r"[.=]", pair, maxsplit=2)
        assert str(config.of(get(name))[key]) == value


def test_more_instances_than_a_target_may_have_at_most_are_the_flags_fault(tmp_path: Path) -> None:
    write(
        tmp_path, "[targets.run]\nmin_instances = 2\nmax_instances = 2\n[targets.flex]\nmin_instances = 2\n"
    )
    error = refused(tmp_path, {"instances": 1})
    assert "flex.min_instances is 2, flex.max_instances is 1" in error.message
    assert error.exit is Exit.USAGE
    assert load_config({"instances": 2}, {}, tmp_path).of(get("flex"))["max_instances"] == 2


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
        ("model = 'a model'", "model is 'a model'", "resource name"),
        ("location = 'here.example.org'", "location is 'here.example.org'", "europe-west1 or global"),
        ("env = 3", "env is 3", "a table"),
        ("[env]\nA = 1", "env.A is 1", "a text in quotes"),
        ("[targets.standart]", "targets.standart is not a known key", "'standard'"),
        ("[targets.flex]\ncpus = 2", "targets.flex.cpus is not a known key", "'cpu'"),
        ("[targets.flex]\ncpu = 'two'", "targets.flex.cpu is 'two'", "a whole number"),
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


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, env={"KIT_WORKERS": "two"})
    assert error.exit is Exit.USAGE
    assert error.message == "KIT_WORKERS is 'two'."
    assert error.hint == "Expected a whole number from 1 to 64."


def test_a_bad_flag_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, {"first_token_ms": -1}).message == "--first-token-ms is -1."


def test_a_wrong_flag_or_variable_is_wrong_usage_and_a_wrong_file_an_error(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, object], dict[str, str]]] = [
        ({"workers": 0}, {}),
        ({}, {"KIT_WORKERS": "0"}),
        ({"env": ["B"]}, {}),
        ({}, {"KIT_ENV": "B"}),
        ({"env": ["PORT=1"]}, {}),
        ({}, {"KIT_ENV": "PORT=1"}),
    ]
    for flags, env in wrong:
        assert refused(tmp_path, flags, env).exit is Exit.USAGE
    for text in ("workers = 0", "[env]\nPORT = '1'", "[targets.run]\ncpu = 3"):
        write(tmp_path, text)
        assert refused(tmp_path).exit is Exit.FAILED


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
        ("STREAMPROOF_TOKEN_SHA256=x", "STREAMPROOF_TOKEN_SHA256 is set by the platform or by the kit"),
        ("STREAMPROOF_PROOF_UNTIL=9", "STREAMPROOF_PROOF_UNTIL is set by the platform or by the kit"),
        ("STREAMPROOF_BUNDLE=x", "STREAMPROOF_BUNDLE is set by the platform or by the kit"),
        ("STREAMPROOF_GET_SEARCH=0", "STREAMPROOF_GET_SEARCH is set by the platform or by the kit"),
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
        caught = error
    else:
        return
    assert caught.code is Code.BAD_CONFIG

"""Flags of the user's own: what passes through, what is a setting, what is refused."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.platforms import load
from kit.platforms.gcloud import flags

RUN = load("cloud_run")


def checked(line: str) -> tuple[str, ...]:
    settings = {"gcloud_flags": line}
    flags.check("run", settings, RUN.refused_flags, RUN.setting_flags)
    return flags.words(settings)


def test_what_the_kit_does_not_say_itself_passes_through() -> None:
    line = "--cpu-boost --no-cpu-throttling --network 'my net' --vpc-egress=all-traffic"
    assert checked(line) == tuple(shlex.split(line))
    assert checked("") == ()


@pytest.mark.parametrize(
    "word",
    [
        *("--no-traffic", "--tag=x", "--project=p", "--quiet", "--format=json", "--region=r", "--async"),
        *("--allow-unauthenticated", "--no-allow-unauthenticated", "--no-invoker-iam-check", "--labels=a=b"),
        *("--set-env-vars=A=b", "--source=.", "--image=i", "--account=a", "--log-http", "--flags-file=f"),
        *("--set-secrets=A=a:1", "--update-secrets=A=a:1", "--cpu=2", "--timeout=5", "--service-account=a"),
        *("-q", "run", "--", "--memory '"),
    ],
)
def test_what_would_break_the_kits_promises_does_not(word: str) -> None:
    with pytest.raises(KitError) as caught:
        checked(f"--cpu-boost {word}" if word != "run" else word)
    assert caught.value.code is Code.BAD_CONFIG
    assert caught.value.hint


def test_flags_become_settings_secrets_and_the_rest() -> None:
    given_ = ["--cpu=2", "--memory", "1Gi", "--set-secrets=A=a:1,B=b:2", "--cpu-boost", "--network", "n"]
    assert flags.split("run", given_, RUN.setting_flags) == (
        ["run.cpu=2", "run.memory=1Gi"],
        ["A=a:1,B=b:2"],
        ["--cpu-boost", "--network", "n"],
    )


@given(st.lists(st.from_regex(r"--[a-z][a-z-]{0,9}(=[^\0]{0,9})?( [^-\0][^\0]{0,9})?", fullmatch=True)))
def test_no_word_is_lost_and_each_belongs_to_the_flag_before_it(given_: list[str]) -> None:
    words = [word for flag in given_ for word in flag.split(" ", 1)]
    groups = list(flags.grouped("run", words))
    assert [word for _, parts in groups for word in parts] == words
    assert all(parts[0].lstrip("-").removeprefix("no-").startswith(name) for name, parts in groups)

"""The targets that there are, what a new one needs, and what is said of a broken one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.config import SETTINGS, Config
from kit.errors import Code, Exit, KitError
from kit.proof.verdict import Verdict
from kit.report.promises import promise
from kit.targets import (
    Certainty,
    Claim,
    Target,
    Topic,
    assets,
    canonical,
    check_names,
    get,
    load_targets,
    select,
)

TARGETS = load_targets()


def test_there_are_four_in_the_order_in_which_they_are_listed() -> None:
    assert list(TARGETS) == ["standard", "flex", "run", "gke"]


@pytest.mark.parametrize(
    ("name", "on", "off"),
    [
        ("standard", Verdict.WHOLE_MESSAGE, Verdict.WHOLE_MESSAGE),
        ("flex", Verdict.INCREMENTAL, Verdict.BYTE_LIMITED),
        ("run", Verdict.INCREMENTAL, Verdict.INCREMENTAL),
        ("gke", Verdict.INCREMENTAL, Verdict.INCREMENTAL),
    ],
)
def test_each_promises_what_its_platform_documents(name: str, on: Verdict, off: Verdict) -> None:
    assert get(name).expect == {"on": on, "off": off}


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
@pytest.mark.parametrize("topic", get_args(Topic))
def test_every_fact_has_a_claim_with_its_source(target: Target, topic: Topic) -> None:
    claims = [claim for claim in target.claims if claim.about == topic]
    assert claims
    assert all(claim.source for claim in claims)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_a_claim_without_a_source_says_so(target: Target) -> None:
    for claim in target.claims:
        assert (claim.certainty == "-") == (claim.source == "none found")
        assert claim.certainty == "-" or claim.quote or claim.certainty == "C"


def claim(certainty: Any) -> Claim:
    return Claim(text="It holds.", source="somewhere", certainty=certainty, about="streaming")


@pytest.mark.parametrize(
    ("certainty", "caveat"),
    [
        ("A", None),
        ("B", None),
        ("M", None),
        ("C", "documented, not observed"),
        ("I", "documented, not observed"),
        ("-", "no source found"),
    ],
)
def test_what_is_not_certain_is_never_shown_without_a_caveat(certainty: Any, caveat: str | None) -> None:
    assert claim(certainty).caveat == caveat


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_a_stream_that_is_held_or_cut_early_has_an_advice(target: Target) -> None:
    held = any(verdict is not Verdict.INCREMENTAL for verdict in target.expect.values())
    # What a deployment raises at once is too short for who deploys without the kit.
    cut = Config().deadline_s(target) > target.front.deadline_s
    assert (target.advice is not None) == (held or cut)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_what_is_promised_is_what_the_front_would_do(target: Target) -> None:
    front = target.front
    unfreed = {
        "none": Verdict.INCREMENTAL,
        "blocks": Verdict.BYTE_LIMITED,
        "whole": Verdict.WHOLE_MESSAGE,
    }[front.hold]
    assert target.expect["off"] is unfreed
    assert target.expect["on"] is (Verdict.INCREMENTAL if front.accel_frees else unfreed)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("cloud-run", "Did you mean 'run'?"),
        ("AppEngine", "Did you mean 'standard' or 'flex'?"),
        ("gae", "Did you mean 'standard' or 'flex'?"),
        ("flexible", "Did you mean 'flex'?"),
        ("kubernetes", "Did you mean 'gke'?"),
        ("runn", "Did you mean 'run'?"),
        ("--", "Known are: standard, flex, run, gke."),
    ],
)
def test_a_platforms_name_leads_to_its_targets(name: str, meant: str) -> None:
    with pytest.raises(KitError) as caught:
        check_names([name], load_targets())
    assert caught.value.hint == meant


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(("run", "run"), ("cloudrun", "run"), ("cloud-run", "run"), ("Cloud Run", "run")),
        *(("app-engine-standard", "standard"), ("gae-flex", "flex"), ("kubernetes", "gke"), ("K8s", "gke")),
        *(
            ("gae", "gae"),
            ("appengine", "appengine"),
            ("runn", "runn"),
            ("", ""),
            ("..", ".."),
            ("x" * 300, "x" * 300),
        ),
    ],
)
def test_a_name_that_means_one_target_is_taken_for_it_and_no_other(name: str, known: str) -> None:
    assert canonical(name) == known


def test_an_unknown_target_is_a_usage_error_that_names_those_there_are() -> None:
    with pytest.raises(KitError) as caught:
        get("standart")
    assert (caught.value.code, caught.value.exit) == (Code.UNKNOWN_TARGET, Exit.USAGE)
    assert "standard, flex, run" in caught.value.message
    assert "'standard'" in caught.value.hint


def test_targets_are_selected_in_the_order_given_and_once() -> None:
    assert [target.name for target in select(["run", "flex", "run"])] == ["run", "flex"]
    assert [target.name for target in select([])] == list(TARGETS)


def test_the_service_and_the_targets_lie_side_by_side() -> None:
    assert (assets() / "service" / "main.py").is_file()
    assert (assets() / "deploy" / "gunicorn.conf.py").is_file()


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """A copy of deploy/ to change."""
    return Path(shutil.copytree(assets() / "deploy", tmp_path / "deploy"))


def test_a_new_target_is_a_new_folder_and_nothing_else(deploy: Path) -> None:
    shutil.copytree(deploy / "run", deploy / "edge")
    assert list(load_targets(deploy)) == ["standard", "flex", "edge", "run", "gke"]
    assert get("edge", deploy).front == get("run", deploy).front


def test_a_target_describes_its_settings_their_rules_and_its_environment_as_data(deploy: Path) -> None:
    file = Path(shutil.copytree(deploy / "run", deploy / "edge")) / "target.toml"
    file.write_text(
        file.read_text()
        .replace("[environment]", '[environment]\nCLUSTER = "{cluster}, {cpu} CPU"')
        .replace("[settings.cpu]", '''[settings.cluster]
default = "main"
pattern = "[a-z]+"
form = "a name"
meaning = "the cluster"
source = "somewhere"
certainty = "A"

[settings.cpu]''')
        .replace("[expect]", '''[[rules]]
bounds = [{ setting = "timeout_s", most = 60, where = { setting = "cpu", below = 1 } }]
says = "It takes a CPU."
source = "somewhere"
certainty = "A"

[expect]''')
    )  # fmt: skip
    edge = get("edge", deploy)
    assert edge.settings["cluster"].allows("other")
    assert not edge.settings["cluster"].allows("Other")
    assert edge.environment_of({**edge.defaults, "cluster": "x"})["CLUSTER"] == "x, 1 CPU"
    (*others, rule) = edge.rules
    assert all(one.is_kept({**edge.defaults, "cpu": 0.5, "concurrency": 1}) for one in others)
    assert not rule.is_kept({**edge.defaults, "cpu": 0.5})
    assert rule.holds == "timeout_s <= 60 where cpu < 1"


def broken(deploy: Path, old: str, new: str) -> KitError:
    """What is said when a line of flex's target.toml reads otherwise."""
    file = deploy / "flex" / "target.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(KitError) as caught:
        load_targets(deploy)
    assert caught.value.code is Code.BAD_TARGET
    assert "flex/target.toml" in caught.value.message
    return caught.value


FRONT = 'hold = "blocks"'
COLUMN = "{ setting = "
MEMORY = COLUMN + '"memory_gb", most = 6.5, per = "cpu", plus = -0.4 }'


@pytest.mark.parametrize(
    ("old", "new", "said", "expected"),
    [
        # Each type, missing, wrong and one key too many.
        ('title = "App Engine Flexible"', "", "title is missing", "a text in quotes"),
        ("order = 2", 'order = "2"', "order is '2'", "a whole number"),
        ("order = 2", 'order = 2\nname = "x"', "name is not a known key", "folder"),
        ("accel_frees = true", "accel_frees = 1", "front.accel_frees is 1", "true or false"),
        ("accel_frees = true", "accel_free = true", "front.accel_frees is missing", "true or false"),
        ("deadline_s = 3600", "deadline_s = 3600\ndeadlines = 1", "front.deadlines is not", "'deadline_s'"),
        (FRONT, 'hold = "chunks"', "front.hold is 'chunks'", "'none', 'blocks' or 'whole'"),
        ('off = "byte-limited"', 'off = "slow"', "expect.off is 'slow'", "'byte-limited'"),
        ('off = "byte-limited"', "", "expect is {'on': 'incremental'}", "one for off"),
        ('off = "byte-limited"', 'of = "byte-limited"', "expect.of is not a known key", "'off'"),
        ('certainty = "A"\n\n[[claims]]', "[[claims]]", "claims[0].certainty is missing", "'A', 'B', 'C'"),
        ('about = "header"', 'about = "headers"', "claims[1].about is 'headers'", "'header'"),
        # The front.
        ("block_bytes = 65_536", "", "front.block_bytes is nothing", 'where hold is "blocks"'),
        ("block_bytes = 65_536", "block_bytes = 0", "front.block_bytes is 0", "above 0"),
        (FRONT, 'hold = "none"', "front.block_bytes is 65536", 'where hold is "blocks" only'),
        ('["x-google-*", "x', '["X-Google-*", "x', "front.request_headers_removed is", "lower case"),
        # The templates.
        ('= "Dockerfile"', '= "../Dockerfile"', "python.Dockerfile.j2 is '../Dock", "inside the bundle"),
        ('= "Dockerfile"', '= "/Dockerfile"', "python.Dockerfile.j2 is '/Dock", "inside the bundle"),
        ('= "Dockerfile"', '= "app.yaml"', "templates is", "a name of its own"),
        ('"app.yaml.j2"', '"app.yml.j2"', "templates.app.yml.j2", "the name of a template"),
        ("{service}", "{servic}", "environment.GAE_SERVICE is '{servic}'", "runtime, service, cpu"),
        ("{service}", "{}", "environment.GAE_SERVICE is '{}'", "nothing in braces but"),
        # The settings.
        ('default = "sp-flex"', "default = [1]", "settings.service.default is [1]", "a number"),
        ('default = "sp-flex"', "", "settings.service.default is missing", "a number"),
        ('default = "sp-flex"', "default = 1", "settings.service is", "a regular expression for a text"),
        ("{0,61}", "{61,0}", "settings.service is", "a regular expression for a text"),
        ("range = [0.5, 519.6]", "", "settings.memory_gb is", "choices, a range or a pattern"),
        (
            "range = [0.5, 519.6]",
            "range = [2, 1]",
            "settings.memory_gb.range is [2, 1]",
            "the least and the most",
        ),
        ("range = [0.5, 519.6]", "range = [1]", "settings.memory_gb.range is [1]", "the least and the most"),
        (
            "range = [0.5, 519.6]",
            "range = [2, 3]",
            "settings.memory_gb is",
            "a default that its limits allow",
        ),
        ("1, 2, 4, 6,", "'1', 2, 4, 6,", "settings.cpu is", "choices of the default's kind"),
        ('meaning = "cores', 'meanings = "cores', "settings.cpu.meaning is missing", "a text"),
        # The rules.
        ('says = "min', 'say = "min', "rules[0].says is missing", "a text"),
        (MEMORY, "", "rules[1].bounds is", "a bound at least"),
        (MEMORY, '{ setting = "memory_gb" }', "rules[1].bounds[0] is", "least, most or below"),
        (MEMORY, '{ setting = "disk", most = 1 }', "rules[1].bounds is 'disk <= 1'", "('disk' is not)"),
        (MEMORY, '{ setting = "service", most = 1 }', "rules[1].bounds is 'service <= 1'", "an amount of"),
        (MEMORY, '{ setting = "cpu", most = "1G" }', "rules[1].bounds is 'cpu <= 1G'", "an amount of"),
    ],
)
def test_what_is_wrong_with_a_target_is_said(
    deploy: Path, old: str, new: str, said: str, expected: str
) -> None:
    caught = broken(deploy, old, new)
    assert said in caught.message
    assert expected in caught.hint


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(-1e9, 1e9).map(float)
    | st.sampled_from(["", "a", "../a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["on", "hold", "x"]), inner),
    max_leaves=4,
)
KEYS = [
    "order",
    "title",
    "platform",
    "advice",
    "templates",
    "settings",
    "rules",
    "expect",
    "front",
    "claims",
    "other",
]


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_no_target_file_brings_anything_but_a_target_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-target" / "one"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "target.toml").write_text("\n".join(f"{key} = {toml(value)}" for key, value in content.items()))
    with pytest.raises(KitError) as caught:
        load_targets(folder.parent)
    assert caught.value.code is Code.BAD_TARGET


def test_the_platforms_page_promises_what_the_targets_do() -> None:
    page = (Path(__file__).parents[2] / "docs" / "platforms.md").read_text()
    for target in TARGETS.values():
        row = f"| `{target.name}` | {promise(target, 'on')} | {promise(target, 'off')} | {target.title} |"
        assert row in page


def test_the_platforms_page_explains_every_letter() -> None:
    page = (Path(__file__).parents[2] / "docs" / "platforms.md").read_text()
    for letter in get_args(Certainty):
        caveat = claim(letter).caveat or "it is"
        assert re.search(rf"^\| {letter} \| .* \| {caveat} \|$", page, re.M)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_a_targets_readme_names_every_setting_of_its_own(target: Target) -> None:
    text = (target.folder / "README.md").read_text()
    assert all(f"`{name}`" in text for name in target.settings)


def test_every_target_keeps_its_own_rules_by_default() -> None:
    assert all(rule.is_kept(target.defaults) for target in TARGETS.values() for rule in target.rules)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_what_follows_a_plain_setting_follows_one_that_there_is(target: Target) -> None:
    for setting in target.settings.values():
        assert setting.follows is None or setting.follows in SETTINGS

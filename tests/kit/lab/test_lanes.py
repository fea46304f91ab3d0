"""From targets to lanes: what is asked for is rendered, in that order, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kit.config import Config
from kit.errors import Code, Exit, KitError
from kit.lab.lanes import prepare
from kit.targets import load_targets

TARGETS = load_targets()


def test_without_names_all_targets_get_a_lane_in_their_own_order(tmp_path: Path) -> None:
    lanes = prepare(TARGETS, [], Config(), tmp_path)
    assert [lane.target.name for lane in lanes] == list(TARGETS)
    assert [lane.bundle for lane in lanes] == [tmp_path / name for name in TARGETS]
    assert all((lane.bundle / "service" / "main.py").is_file() for lane in lanes)
    fronts = [replace(one.front, deadline_s=Config().deadline_s(one)) for one in TARGETS.values()]
    assert [(lane.front, lane.port) for lane in lanes] == [(front, None) for front in fronts]


def test_named_targets_come_in_the_order_of_their_names_and_only_once(tmp_path: Path) -> None:
    lanes = prepare(TARGETS, ["run", "standard", "run"], Config(), tmp_path)
    assert [lane.target.name for lane in lanes] == ["run", "standard"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "standard"]


def test_a_port_and_another_front_go_to_the_lane_that_they_name(tmp_path: Path) -> None:
    flex, run = prepare(
        TARGETS, ["flex", "run"], Config(), tmp_path, ports={"run": 8001}, fronts={"flex": "standard"}
    )
    assert (flex.front, flex.port) == (TARGETS["standard"].front, None)
    assert (run.front, run.port) == (TARGETS["run"].front, 8001)


def test_a_front_ends_requests_after_the_timeout_that_its_target_is_deployed_with(tmp_path: Path) -> None:
    config = Config(targets={"run": {"timeout_s": 900}})
    flex, run = prepare(TARGETS, ["flex", "run"], config, tmp_path, fronts={"flex": "run"})
    assert flex.front == run.front == replace(TARGETS["run"].front, deadline_s=900)


@pytest.mark.parametrize(
    ("names", "ports", "fronts", "code"),
    [
        (["nowhere"], {}, {}, Code.UNKNOWN_TARGET),
        ([], {"nowhere": 8001}, {}, Code.UNKNOWN_TARGET),
        ([], {}, {"nowhere": "run"}, Code.UNKNOWN_TARGET),
        ([], {}, {"run": "nowhere"}, Code.UNKNOWN_TARGET),
        (["run"], {"flex": 8001}, {}, Code.BAD_USAGE),
        (["run"], {}, {"flex": "run"}, Code.BAD_USAGE),
    ],
)
def test_a_name_that_fits_nothing_is_told_before_anything_is_rendered(
    tmp_path: Path, names: list[str], ports: dict[str, int], fronts: dict[str, str], code: Code
) -> None:
    with pytest.raises(KitError) as caught:
        prepare(TARGETS, names, Config(), tmp_path, ports=ports, fronts=fronts)
    assert (caught.value.code, caught.value.exit) == (code, Exit.USAGE)
    assert list(tmp_path.iterdir()) == []

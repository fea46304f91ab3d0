"""The HTTPRoute: what is built is read back as it was meant, within what a route may hold."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from kit.config import Config
from kit.platforms.gke.route import kept, opened, route, shares_of
from kit.platforms.service import Place
from kit.render import render
from kit.targets import get
from tests.kit.platforms.gke.cluster import PLACE

VERSIONS = st.lists(st.from_regex(r"sp-[0-9a-z]{8}", fullmatch=True), unique=True, max_size=40)


@given(names=VERSIONS, data=st.data())
def test_weights_are_read_back_as_they_were_built(names: list[str], data: st.DataObject) -> None:
    weights = {name: data.draw(st.integers(0, 100)) for name in kept(names, {})}
    made = route(PLACE, "web", "http", weights)
    assert opened(made) == tuple(weights)
    total = sum(weights.values())
    assert shares_of(PLACE, made) == ({name: weights[name] / total for name in weights} if total else {})


@given(names=VERSIONS, data=st.data())
def test_a_route_has_room_for_what_serves_and_then_the_newest(names: list[str], data: st.DataObject) -> None:
    serving = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=15)) if names else []
    chosen = kept(names, dict.fromkeys(serving, 0.5))
    assert len(chosen) <= 15
    assert set(serving) <= set(chosen)
    assert list(chosen) == [name for name in names if name in chosen]
    left_out = [name for name in names if name not in chosen]
    assert not left_out or len(chosen) == 15
    others = [name for name in chosen if name not in serving]
    assert not left_out or not others or names.index(others[-1]) < names.index(left_out[0])
    made = route(PLACE, "web", "http", dict.fromkeys(chosen, 1))
    assert len(made["spec"]["rules"]) <= 16


def test_the_last_rule_is_left_out_while_nothing_serves() -> None:
    (rule,) = route(PLACE, "web", "https", {"sp-1": 0})["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/sp-1"}}]


def test_another_s_backend_has_its_share_under_its_own_name() -> None:
    rules = [{"backendRefs": [{"name": "shop", "port": 80}, {"name": "streamproof-sp-1", "weight": 3}]}]
    assert shares_of(PLACE, {"spec": {"rules": rules}}) == {"shop": 0.25, "sp-1": 0.75}
    assert shares_of(PLACE, None) == {}
    assert shares_of(PLACE, {"spec": {"rules": [{"backendRefs": [{"name": "a", "weight": 0}]}]}}) == {"a": 0}


def test_for_one_version_that_serves_it_is_the_route_of_the_bundle() -> None:
    for settings, listener in (({}, "http"), ({"host": "a.example", "certmap": "map"}, "https")):
        config = Config(project="demo-project", region="europe-west1", targets={"gke": settings})
        place = Place("gke", "gke", "demo-project", "europe-west1", "streamproof", "c1/streamproof")
        bundle = yaml.safe_load(render(get("gke"), config).files["route.yaml"])
        assert bundle == route(place, "streamproof", listener, {"sp-00000000": 1})

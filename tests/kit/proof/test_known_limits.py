from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.proof.fingerprints import Hop, fingerprint, hops
from kit.proof.known_limits import HELD_ON_S, WITHIN_S, KnownLimit, every, hint, known_limits, with_lines

GKE = hops({"via": "1.1 google", "server": "uvicorn"})
SERVERLESS = hops({"via": "1.1 google", "server": "Google Frontend"})


@pytest.mark.parametrize("known", every(), ids=lambda known: f"{known.who.split(',')[0]}-{known.seconds}")
def test_each_has_a_name_a_source_and_lines_that_can_be_pasted(known: KnownLimit) -> None:
    assert known.seconds > 0
    assert known.on in ("whole", "silence")
    assert known.sure in ("documented", "reported", "measured", "inferred")
    assert known.source.strip()
    assert not known.kind or fingerprint(known.kind).name
    assert all(line.isprintable() and len(line) <= 400 for line in known.frees.strip("\n").splitlines())
    assert known.frees.strip()


@pytest.mark.parametrize(
    ("seen_s", "is_it"), [(28.9, False), (29.1, True), (30.0, True), (31.9, True), (32.1, False)]
)
def test_an_end_within_a_second_or_the_one_that_an_envoy_takes_may_be_it(
    seen_s: float, *, is_it: bool
) -> None:
    names = [one.kind for one in known_limits(seen_s, "whole")]
    assert ("google-balancer" in names) is is_it


def test_the_nearest_comes_first_and_what_the_headers_hint_at_before_it() -> None:
    def first(seen_s: float, by: tuple[Hop, ...] = ()) -> str:
        return known_limits(seen_s, "whole", by)[0].kind

    assert first(29.1) == "api-gateway"
    assert first(29.1, GKE) == "google-balancer"
    # Behind the same front what is serverless is bounded by its own limit.
    assert first(29.1, SERVERLESS) == "api-gateway"
    assert first(300.2, hops({}, host="x.a.run.app")) == "cloud-run"


def test_the_line_for_gke_is_its_policy_and_warns_of_the_route() -> None:
    text = with_lines("Raise it.", known_limits(30.0, "whole", GKE)[:1])
    assert text.startswith("Raise it.\na Google Cloud load balancer")
    for line in ("kind: GCPBackendPolicy", "default: {timeoutSec: 3600}", "kind: Service, name: SERVICE}"):
        assert line in text
    assert "timeouts in the HTTPRoute is no way: GKE then refuses the whole route" in text
    assert "(documented, not observed):\n" in text


@given(st.none() | st.floats(0, 10_000), st.sampled_from(["whole", "silence"]))
def test_none_is_named_that_is_not_near(seen_s: float | None, on: str) -> None:
    found = known_limits(seen_s, on)  # type: ignore[arg-type]
    for one in found:
        assert seen_s is not None
        assert one.on == on
        assert -WITHIN_S <= seen_s - one.seconds <= WITHIN_S + HELD_ON_S
        assert one.who in hint(found)
    assert bool(hint(found)) is bool(found)

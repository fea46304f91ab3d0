"""Load balancers' parts, as the real gcloud lists and describes them."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kit.rehearsal.compute import Compute
from kit.rehearsal.plane import Plane
from tests.fixtures.rehearsal import Gcloud

NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


@given(NAMES, NAMES, st.dictionaries(NAMES, st.integers(1, 86400), max_size=4))
def test_every_name_fits_and_all_goes_with_its_group(
    namespace: str, gateway: str, timeouts: dict[str, int]
) -> None:
    compute = Compute("demo-project")
    compute.keep("ab12", namespace, gateway, "192.0.2.1", timeouts)
    compute.keep("cd34", "other", "gateway", "192.0.2.2", {})
    names = [name for named in compute.resources.values() for name in named]
    assert all(len(name) <= 63 for name in names)
    assert len(compute.resources["backendServices"]) == len(timeouts)
    compute.remove("ab12")
    left = [name for named in compute.resources.values() for name in named]
    assert {name.split("-")[1] for name in left} == {"cd34"}


def test_gcloud_lists_what_outlived_its_gateway_and_shows_a_timeout(plane: Plane, gcloud: Gcloud) -> None:
    made = plane.compute.keep("ab12", "space", "front", "192.0.2.1", {"web-1": 45})
    plane.compute.stays = True
    plane.compute.remove("ab12")

    def run(*words: str) -> list[str]:
        ran = gcloud("compute", *words, "--project=demo-project", "--quiet", "--format=json")
        assert ran.returncode == 0, ran.stderr
        return [str(each["name"]) for each in json.loads(ran.stdout)]

    assert run("forwarding-rules", "list", "--global") == made["forwarding-rules"]
    (group,) = run("network-endpoint-groups", "list")
    assert group.startswith("k8s1-ab12-space-web-1-80-")
    (service,) = made["backend-services"]
    shown = gcloud(
        "compute", "backend-services", "describe", service, "--global", "--project=demo-project",
        "--format=value(timeoutSec)",
    )  # fmt: skip
    assert shown.stdout == "45\n", shown.stderr

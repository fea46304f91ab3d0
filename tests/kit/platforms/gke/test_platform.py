"""What must hold before anything is deployed to GKE, where it goes, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kit.errors import Code, KitError
from kit.platforms import load
from kit.platforms.findings import Candidate, Finding, PreflightOptions, Seen
from tests.kit.platforms.gke.cluster import PLACE

GKE = load("gke")
OPTIONS = PreflightOptions(project="demo-project")
POLICY = {
    "bindings": [
        {
            "role": "roles/artifactregistry.reader",
            "members": ["serviceAccount:12-compute@developer.gserviceaccount.com"],
        }
    ]
}
MISSING = KitError(Code.NOT_READY_TO_DEPLOY, "kubectl is not on the PATH.", "")
HTTPS = {"host": "a.example", "certmap": "map"}


def cluster(**changes: Any) -> dict[str, Any]:
    return {"name": "c1", "location": "europe-west1", "status": "RUNNING", **changes}


def findings(
    options: PreflightOptions = OPTIONS,
    clusters: Any = None,
    settings: dict[str, Any] | None = None,
    policy: Any = POLICY,
    **own: Any,
) -> list[Finding]:
    seen = Seen(
        project={"projectNumber": "12"},
        policy=policy,
        own={
            "clusters": [cluster()] if clusters is None else clusters,
            "kubectl": {"clientVersion": {"gitVersion": "v1.32.4-dispatcher"}},
            "plugin": {"kind": "ExecCredential"},
            **own,
        },
    )
    return list(GKE.needs([Candidate(PLACE, settings=settings or {})], options, seen))


def test_a_running_cluster_whose_nodes_may_pull_needs_no_word() -> None:
    assert findings() == []


def test_a_cluster_that_is_not_there_is_made_only_when_the_user_says_so() -> None:
    (found,) = findings(clusters=[cluster(name="other")])
    assert (found.level, found.text) == ("stop", "There is no cluster c1 in europe-west1.")
    assert found.remedy == "Name one that is there, other, with --gke. --create-cluster makes it."
    (found,) = findings(replace(OPTIONS, said={"create_cluster": "yes"}), clusters=[])
    assert found.level == "ask"
    assert found.command is not None
    assert found.command.line == (
        'KUBECONFIG="$PWD/streamproof-kubeconfig" '
        "gcloud container clusters create-auto c1 "
        "--labels=streamproof-target=gke,streamproof-namespace=web,streamproof-app=streamproof "
        "--location=europe-west1 --project=demo-project --quiet"
    )
    assert found.command.folder is not None, "the user's own kubeconfig stays as it is"


def test_a_cluster_elsewhere_is_never_made_a_second_time() -> None:
    said = replace(OPTIONS, said={"create_cluster": "yes"})
    (found,) = findings(said, clusters=[cluster(location="us-central1")])
    assert found.level == "stop"
    assert "one of that name is in us-central1" in found.text


def test_a_cluster_that_is_just_being_made_takes_nothing() -> None:
    (found,) = findings(clusters=[cluster(status="PROVISIONING")])
    assert (found.level, "PROVISIONING" in found.text) == ("stop", True)


def test_nodes_that_are_not_seen_to_pull_are_a_warning_with_the_line_that_lets_them() -> None:
    (found,) = findings(policy={"bindings": []})
    assert found.level == "warn"
    assert "--member=serviceAccount:12-compute@developer.gserviceaccount.com" in found.remedy
    own = cluster(nodeConfig={"serviceAccount": "nodes@p.iam.gserviceaccount.com"})
    (found,) = findings(clusters=[own])
    assert "nodes@p.iam.gserviceaccount.com" in found.text


def test_missing_and_old_tools_stop_it() -> None:
    assert [one.level for one in findings(kubectl=MISSING, plugin=MISSING)] == ["stop", "stop"]
    (found,) = findings(kubectl={"clientVersion": {"gitVersion": "v1.25.9"}})
    assert (found.level, found.text) == ("stop", "kubectl 1.25 is too old: the kit needs 1.26.")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (replace(OPTIONS, secret="a token"), "a token that callers show could be read on the way"),
        (replace(OPTIONS, costly="vertex"), "all callers could ask vertex, at your expense"),
    ],
)
def test_over_plain_http_callers_show_no_secret_and_ask_nothing_that_costs(
    options: PreflightOptions, what: str
) -> None:
    (found,) = findings(options)
    assert found.level == "stop"
    assert what in found.text
    assert "--set gke.host=HOST --set gke.certmap=MAP" in found.remedy
    assert findings(options, settings=HTTPS) == []


def test_it_goes_where_the_settings_say_else_where_it_is_on_record() -> None:
    settings = {"cluster": "", "namespace": "web"}
    assert GKE.within("gke", {**settings, "cluster": "c1"}, {}, None) == "c1/web"
    assert GKE.within("gke", settings, {}, "c1/web") == "c1/web"
    assert GKE.within("gke", settings, {"create_cluster": "yes"}, None) == "streamproof/web"
    with pytest.raises(KitError, match="No cluster was named for gke") as error:
        GKE.within("gke", settings, {}, None)
    assert "--gke CLUSTER" in error.value.hint
    for elsewhere in ({"cluster": "c2"}, {"namespace": "other"}):
        with pytest.raises(KitError, match="on record as deployed in the cluster c1"):
            GKE.within("gke", {**settings, **elsewhere}, {}, "c1/web")


def test_all_means_it_only_where_a_cluster_is_named_or_to_be_made() -> None:
    assert not GKE.wanted({"cluster": ""}, {})
    assert GKE.wanted({"cluster": "c1"}, {})
    assert GKE.wanted({"cluster": ""}, {"create_cluster": "yes"})


def test_it_costs_all_the_time_with_figures_and_their_date() -> None:
    costs = GKE.costs(Candidate(PLACE))
    for word in ("all the time", "cluster $", "pod", "load balancer $", "2026"):
        assert word in costs.text
    assert GKE.rates in costs.text


def test_a_secret_is_the_clusters_own_and_the_line_that_makes_it_is_said() -> None:
    def said(ref: str) -> Finding:
        one = Candidate(PLACE, secrets={"OPENAI_API_KEY": ref})
        seen = Seen(own={"clusters": [cluster()]})
        (found,) = (each for each in GKE.needs([one], OPTIONS, seen) if "OPENAI_API_KEY" in each.text)
        return found

    assert said("openai:latest").level == "note"
    line = "kubectl create secret generic openai --namespace=web --from-file=OPENAI_API_KEY=FILE"
    assert line in said("openai:latest").remedy
    assert said("projects/other/secrets/openai:1").level == "stop"

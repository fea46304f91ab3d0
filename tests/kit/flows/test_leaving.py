"""The doctor names who hides that a client left, through real servers and relays, and with its line."""

from __future__ import annotations

import re

import pytest

from kit.flows.doctor import DoctorSpec, doctor
from kit.probe.client import Ask
from kit.proof.causes import Cause, Certainty
from kit.proof.contract import Clause, ContractSpec
from kit.proof.diagnosis import Diagnosis
from tests.fixtures.foreign import SECRET
from tests.fixtures.sites import NginxSite, NodeSite
from tests.fixtures.together import measured_by, through
from tests.kit.probe.test_cancelled import IGNORES, PIPELINE

pytestmark = pytest.mark.alone

CONTRACT = ContractSpec((Clause.CANCELLED,))


async def examine(
    url: str, *, path: str = "/search?ai_prompt=x", direct: str | None = None, token: str | None = None
) -> Diagnosis:
    ask = Ask("GET", f"{url}{path}")
    return await doctor(DoctorSpec("doctor", ask, direct_url=direct, proof_token=token, contract=CONTRACT))


found = measured_by(examine, apart=True)


def is_the_only_cause(found: Diagnosis, cause: Cause, certainty: Certainty, line: str) -> None:
    (named,) = found.causes
    assert (named.cause, named.certainty, named.holds) == (cause, certainty, False), named.because
    assert any(one.strip() == line for one in named.remedy.splitlines()), named.remedy


@through(lambda origin: NginxSite(origin(), IGNORES))
def test_an_nginx_that_ignores_it_is_likely_until_the_service_is_asked_directly(found: Diagnosis) -> None:
    hop, own = found.causes
    assert (hop.cause, hop.certainty) == (Cause.CANCEL_IGNORED, "likely")  # its headers hint at an nginx
    assert (own.cause, own.certainty) == (Cause.CANCEL_BY_WRITES, "possible")
    assert "--direct" in hop.apart


@through(lambda origin: NginxSite(origin(), IGNORES), direct=lambda origin: origin())
def test_asked_directly_as_well_it_is_certain(found: Diagnosis) -> None:
    is_the_only_cause(found, Cause.CANCEL_IGNORED, "certain", "proxy_ignore_client_abort off;")
    assert "it is a hop between there and here" in found.causes[0].where
    assert "asked directly: stops after " in found.causes[0].because


@through(lambda origin: NginxSite(origin()), direct=lambda origin: origin())
def test_one_that_passes_it_on_has_no_cause(found: Diagnosis) -> None:
    assert found.causes == ()
    assert found.lane.clauses[0].says.startswith("stops after ")


@through(lambda origin: NodeSite(origin()), direct=lambda origin: origin())
def test_a_pipe_of_nodes_loses_it(found: Diagnosis) -> None:
    line = 'response.on("close", () => upstream.destroy());'
    is_the_only_cause(found, Cause.CANCEL_LOST, "certain", line)


@through(lambda origin: NodeSite(origin(), PIPELINE), direct=lambda origin: origin())
def test_a_pipeline_of_nodes_hears_of_it_late(found: Diagnosis) -> None:
    is_the_only_cause(found, Cause.CANCEL_EARLY, "certain", 'yield ": ok\\n\\n"')


@through(
    lambda origin: origin("tests.fixtures.relays:reads_whole", upstream=origin()),
    direct=lambda origin: origin(),
)
def test_what_collects_the_answer_goes_on_for_no_client(found: Diagnosis) -> None:
    holds, hides = found.causes
    assert (holds.cause, holds.holds) == (Cause.WHOLE_MESSAGE, True)
    assert (hides.cause, hides.certainty, hides.holds) == (Cause.CANCEL_COLLECTED, "certain", False)


@through(
    lambda origin: origin("tests.fixtures.foreign:wrapped", proof_token=SECRET),
    path="/chat?n=40",
    token=SECRET,
)
def test_an_app_that_ends_when_its_client_leaves_has_no_cause(found: Diagnosis) -> None:
    assert found.causes == ()
    (clause,) = found.lane.clauses
    assert (clause.sure, clause.says[:12]) == ("proved", "stops after "), clause.evidence
    assert sum("the app was done with it within" in line for line in clause.evidence) == 2
    assert found.requests == 3


def works_on(found: Diagnosis, what: str) -> None:
    (named,) = found.causes
    assert (named.cause, named.certainty, named.holds) == (Cause.CANCEL_APP, "likely", False), named.because
    assert re.search(rf"; at work yet: .*{what} \(foreign\.py:[0-9]+\)", named.because)
    (clause,) = found.lane.clauses
    assert (clause.sure, "in the app it goes on (watched " in clause.says) == ("likely", True)


@through(
    lambda origin: origin("tests.fixtures.foreign:wrapped", proof_token=SECRET),
    path="/chat?n=60&how=task",
    token=SECRET,
)
def test_a_task_of_the_apps_own_that_goes_on_is_named_though_its_answer_ends(found: Diagnosis) -> None:
    works_on(found, "feed")


@through(
    lambda origin: origin("tests.fixtures.foreign:wrapped", proof_token=SECRET),
    path="/chat?n=60&how=thread",
    token=SECRET,
)
def test_so_is_a_thread(found: Diagnosis) -> None:
    works_on(found, "feed_there")


@through(lambda origin: origin(lab=0))
def test_without_a_proof_the_kits_own_answers_show_it_while_they_are_written(found: Diagnosis) -> None:
    (clause,) = found.lane.clauses
    assert (clause.sure, found.causes) == ("likely", ()), clause.evidence
    assert re.fullmatch("stops after [0-9,]+ ms, while it writes", clause.says)
    assert found.requests == 3


@through(
    lambda origin: origin("tests.fixtures.foreign:wrapped_deaf", proof_token=SECRET),
    path="/chat",
    token=SECRET,
)
def test_an_app_that_works_on_is_named_whatever_the_path_does(found: Diagnosis) -> None:
    (named,) = found.causes
    assert (named.cause, named.certainty, named.holds) == (Cause.CANCEL_APP, "certain", False)
    (clause,) = found.lane.clauses
    assert clause.sure == "proved"
    assert "in the app it goes on (watched " in clause.says
    assert clause.says.startswith("by FIN or by RST or before the first event it stops after ")

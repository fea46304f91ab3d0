"""What Cloud Run is asked, how often, and what is left alone."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from kit.errors import Code, KitError
from kit.platforms.cloud_run.host import CloudRunHost
from kit.platforms.gcloud.runner import Gcloud
from tests.kit.platforms.recorder import Recorder, recorded
from tests.kit.platforms.releases import RUN, answer

FIRST, SECOND = "streamproof-sp-toxissz0", "streamproof-sp-toxit8wo"
NONE = KitError(Code.NOT_FOUND_IN_CLOUD, "Cannot find service [streamproof].", "")


def with_(**answers: Any) -> tuple[CloudRunHost, Recorder]:
    """A public service with two revisions, but for what is named; `_` in a name stands for a space."""
    given = {name.replace("_", " "): reply for name, reply in answers.items()}
    recorder = Recorder({**given, **recorded(), **given})
    return CloudRunHost(RUN, cast(Gcloud, recorder)), recorder


def kept(instances: str) -> list[Any]:
    """The revisions, each with so many instances that always run."""
    revisions: list[Any] = answer("run-revisions-list")
    for revision in revisions:
        revision["metadata"]["annotations"]["autoscaling.knative.dev/minScale"] = instances
    return revisions


def test_who_may_call_is_asked_once_until_that_is_changed() -> None:
    host, gcloud = with_(**{"run services get-iam-policy": {"etag": "ACAB"}})

    async def story() -> None:
        await host.look()
        await host.look()
        assert gcloud.asked("run services get-iam-policy") == 1
        await host.open(print)
        await host.look()
        assert gcloud.asked("run services get-iam-policy") == 2

    asyncio.run(story())
    assert gcloud.asked("run services add-iam-policy-binding") == 1


def test_revisions_which_never_change_are_listed_again_only_once_there_is_another() -> None:
    host, gcloud = with_()

    async def story() -> None:
        await host.look()
        await host.look()
        assert gcloud.asked("run revisions list") == 1
        service = answer("run-services-describe")
        service["status"]["latestCreatedRevisionName"] = "streamproof-sp-theirs01"
        gcloud.answers["run services describe"] = service
        # Not listed yet: then what was seen is not all.
        for times in (2, 3):
            await host.look()
            assert gcloud.asked("run revisions list") == times

    asyncio.run(story())


def test_what_is_open_is_not_opened_again() -> None:
    host, gcloud = with_()

    async def story() -> None:
        await host.look()
        await host.open(print)

    asyncio.run(story())
    assert gcloud.changes == []


def test_an_account_that_may_not_see_who_may_call_sees_all_the_rest() -> None:
    host, _ = with_(**{"run services get-iam-policy": KitError(Code.PERMISSION_DENIED, "No.", "")})
    found = asyncio.run(host.look())
    assert found is not None
    assert found.public is None
    assert len(found.versions) == 2


def test_a_revision_that_costs_nothing_keeps_its_url() -> None:
    host, gcloud = with_()
    asyncio.run(host.stop(FIRST, print))
    assert gcloud.changes == []


def test_a_revision_that_keeps_instances_loses_its_tag_so_that_they_end() -> None:
    host, gcloud = with_(**{"run revisions list": kept("1")})
    asyncio.run(host.stop(FIRST, print))
    assert gcloud.changes == ["gcloud run services update-traffic streamproof --remove-tags=sp-toxissz0"]


def test_instances_that_are_kept_cost_always() -> None:
    for instances, costs in (("0", "requests"), ("1", "always")):
        host, _ = with_(**{"run revisions list": kept(instances)})
        found = asyncio.run(host.look())
        assert found is not None
        assert found.costs == costs


def test_with_the_whole_service_go_its_images_and_archives() -> None:
    host, _ = with_()
    removals = asyncio.run(host.removals())
    assert [" ".join(each.command.words[:4]).partition(" --")[0] for each in removals if each.command] == [
        "run services delete streamproof",
        "artifacts docker images delete",
        "storage rm gs://run-sources-demo-project-europe-west1/services/streamproof/**",
    ]


def test_a_revision_that_goes_leaves_images_and_archives_and_that_is_said() -> None:
    host, gcloud = with_()
    removals = asyncio.run(host.removals(versions=(FIRST,)))
    assert [removal.what.partition(" eur")[0] for removal in removals if removal.command is None] == [
        "the images"
    ]
    assert gcloud.asked("artifacts") == 0


def test_what_an_interrupted_removal_left_is_still_found() -> None:
    host, _ = with_(**{"run services describe": NONE})
    assert asyncio.run(host.look()) is None
    assert len(asyncio.run(host.removals())) == 2


def test_a_service_that_the_kit_did_not_make_keeps_everything() -> None:
    theirs = answer("run-revisions-list")
    for revision in theirs:
        del revision["metadata"]["labels"]["streamproof-target"]
    host, gcloud = with_(**{"run revisions list": theirs})
    assert asyncio.run(host.removals()) == ()
    assert gcloud.asked("artifacts") == 0


def test_where_a_revision_of_others_is_left_images_and_archives_stay() -> None:
    mixed = answer("run-revisions-list")
    del mixed[1]["metadata"]["labels"]["streamproof-target"]
    host, gcloud = with_(**{"run revisions list": mixed})
    assert asyncio.run(host.removals()) != ()
    assert gcloud.asked("storage") == 0

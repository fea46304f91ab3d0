"""What each target's name, place and price say before it is deployed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from kit.platforms.findings import Finding, Lane, Rule, Seen, Wishes, on
from kit.platforms.platform import Service

# A version's name is "sp-" and eight characters (`kit.cloud.release`).
_VERSION_CHARACTERS: Final = 11
# VERSION-dot-SERVICE-dot-PROJECT is one label of a DNS name: 63 characters (RFC 1035, 2.3.4).
_LABEL_CHARACTERS: Final = 63
# TAG---SERVICE, with the hash and region that Cloud Run puts behind, is one too.
_TAG_AND_SERVICE_CHARACTERS: Final = 46


def _names(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    for lane in lanes:
        place = lane.place
        if place.platform == "app_engine":
            fixed = _VERSION_CHARACTERS + len("-dot-") * 2 + len(place.project)
            room = _LABEL_CHARACTERS - fixed
            what = "version, service and project"
        else:
            room = _TAG_AND_SERVICE_CHARACTERS - _VERSION_CHARACTERS
            what = "tag and service"
        if place.service != "default" and len(place.service) > room:
            yield Finding(
                "stop",
                f"The service of {place.target}, {place.service}, has a name {len(place.service) - room} "
                f"characters too long, for {what} share one name in its URL.",
                f"Give it one of {room} characters at most: `--set {place.target}.service=NAME`."
                if room > 0
                else "This project's ID leaves no room for one: use another project.",
            )
        if place.platform != "app_engine" and place.region is None:
            yield Finding(
                "stop", f"No region was named for {place.target}.", "Name one with --region, or in kit.toml."
            )


def _owners(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    for lane in lanes:
        service = seen.looks.get(lane.place.target)
        if not isinstance(service, Service) or service.ours:
            continue
        serving = f", where {service.serving.name} serves" if service.serving is not None else ""
        text = f"The service {lane.place.service} of {lane.place.target}{serving}, was not made by the kit"
        if wishes.take_over:
            yield Finding("warn", f"{text}, and its traffic will go to the kit's version (--take-over).")
        else:
            yield Finding(
                "stop",
                f"{text}.",
                f"Choose another name, `--set {lane.place.target}.service=NAME`, "
                "or add --take-over, if it is yours to replace.",
            )


def _first_service(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    app_engine = on(lanes, "app_engine")
    if app_engine and (seen.has_no_app or seen.app_versions == []):
        first = next((lane for lane in app_engine if lane.place.service == "default"), app_engine[0])
        others = ", before the others" if len(app_engine) > 1 else ""
        yield Finding(
            "note",
            "The first service of an App Engine app must be called default, and cannot be deleted again: "
            f"{first.place.target} becomes it{others}.",
        )


def _first_version(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    new = [lane.place.target for lane in lanes if seen.looks.get(lane.place.target, wishes) is None]
    if new:
        yield Finding(
            "note",
            f"{' and '.join(new)} {'is' if len(new) == 1 else 'are'} new: a service's first version serves "
            "at once, before it is measured. The platforms make it so.",
        )


def _costs(lanes: Sequence[Lane], wishes: Wishes, seen: Seen) -> Iterator[Finding]:
    for lane in lanes:
        name, always = lane.place.target, max(lane.min_instances, 1 if lane.flexible else 0)
        many = "one virtual machine" if always == 1 else f"{always} virtual machines"
        if lane.flexible:
            yield Finding(
                "note",
                f"{name} costs money all the time: at least {many} of it always runs, and it never scales to "
                "zero.",
                f"Remove it when you are done: `kit destroy {name}`.",
            )
        elif always:
            what = "one instance" if always == 1 else f"{always} instances"
            yield Finding("note", f"{name} costs money all the time: {what} of it always runs.")
        else:
            yield Finding("note", f"{name} costs money only while it is asked: it scales to zero.")
    if lanes:
        yield Finding("note", "Builds cost money by the minute, images and uploaded archives by their size.")


TARGET_RULES: Final[tuple[Rule, ...]] = (_names, _owners, _first_service, _first_version, _costs)

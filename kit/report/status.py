"""How what was deployed stands, for a terminal: `kit status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kit.language import join, t, text
from kit.platforms.deployment import DeploymentStatus, Role, is_overdue
from kit.platforms.service import Version
from kit.proof.verdict import Shape, Verdict
from kit.proof.verdict import in_words as verdict_in_words
from kit.report.cells import cells, one_line, pad
from kit.report.style import Style, Tone
from kit.targets import Target
from kit.times import clock, epoch_s, in_words

_ROLES: dict[Role, tuple[str, Tone]] = {
    "serving": (text("serving"), "ok"),
    "held-back": (text("held back"), "unsure"),
    "earlier": (text("earlier"), "dim"),
    "preview": (text("preview"), "unsure"),
    "not-ours": (text("not the kit's"), "dim"),
    "another-app": (text("another app's"), "dim"),
}
_COSTS = {
    "nothing": text("costs nothing as it is"),
    "requests": text("costs only while it is asked"),
    "always": text("costs money all the time, asked or not"),
}
# More of the old versions than these are only counted.
_EARLIER = 3


def status_text(
    statuses: Sequence[DeploymentStatus], targets: Mapping[str, Target], style: Style, now_s: float
) -> str:
    """A paragraph for each target: where, its versions, what was measured, what it costs.

    Args:
        statuses: in their order.
        targets: for their titles.
        style: how to write.
        now_s: epoch seconds.
    """
    paragraphs = [_paragraph(one, targets.get(one.target), style, now_s) for one in statuses]
    return style.finish("\n\n".join(paragraphs))


def _paragraph(status: DeploymentStatus, target: Target | None, style: Style, now_s: float) -> str:
    place = status.place
    where = [
        target.title if target is not None else place.platform,
        place.project,
        place.region,
        place.within,
        place.service,
    ]
    public = {True: text("public"), False: text("private"), None: None}[status.public]
    head = " · ".join(one_line(part) for part in (*where, public) if part)
    lines = [f"{style.paint(one_line(place.target), 'bold')}  {head}"]
    if status.url is not None:
        lines.append(f"  {one_line(status.url)}")
    if status.error is not None:
        head = t(text("could not be asked:"))
        lines.append(f"  {style.paint(head, 'wrong')} {one_line(status.error.message)}")
        lines.append(f"    {one_line(status.error.hint)}")
    if status.gone:
        head, why = text("gone:"), text("the cloud has no such service")
        then = text("`kit status --refresh` forgets it.")
        if status.deployment is not None and status.deployment.version is None:
            head = text("not there:")
            why = text("its deployment did not finish, and may still come to be")
            then = text(
                "`kit destroy {target}` removes what it left; `kit status --refresh` forgets it.",
                target=place.target,
            )
        lines += [f"  {style.paint(t(head), 'wrong')} {t(why)}", f"    {one_line(then)}"]
    if status.service is not None:
        lines += _versions(status, style, now_s)
    elif not status.gone:
        lines += _from_the_record(status, now_s)
    if status.gone:
        return "\n".join(line.rstrip() for line in lines)
    lines += _verdicts(status, target)
    lines += _expiry(status, style, now_s)
    lines += _costs(status, style)
    return "\n".join(line.rstrip() for line in lines)


def _versions(status: DeploymentStatus, style: Style, now_s: float) -> list[str]:
    versions = status.service.versions if status.service is not None else ()
    roles = [(status.role(version), version) for version in versions]
    shown = [
        (role, version)
        for role, version in roles
        if role in ("serving", "held-back") or version.traffic or (role == "preview" and version.url)
    ]
    earlier = [(role, version) for role, version in roles if role == "earlier"]
    shown += earlier[:_EARLIER]
    if not shown:
        none = text("no version of the kit's")
        lines = [f"  {t(none)}"]
    else:
        name_cells = max(cells(one_line(version.name)) for _, version in shown)
        lines = [_version(role, version, name_cells, style, now_s) for role, version in shown]
    rest = len(earlier) - _EARLIER
    others = sum(role == "not-ours" and not version.traffic for role, version in roles)
    apps = sum(role == "another-app" and not version.traffic for role, version in roles)
    counted = [
        text("and {count} earlier", count=rest) if rest > 0 else "",
        text("and {count} that the kit did not make", count=others) if others else "",
        text("and {count} of another app", count=apps) if apps else "",
    ]
    return lines + [f"  {t(one)}" for one in counted if one]


def _version(role: Role, version: Version, name_cells: int, style: Style, now_s: float) -> str:
    word, tone = _ROLES[role]
    share = f"{version.traffic * 100:.0f} %" if version.traffic else ""
    made_s = epoch_s(version.created_at)
    age = "" if made_s is None else t(text("{span} old", span=in_words(now_s - made_s)))
    stopped = "" if version.running or role == "serving" else t(text("stopped"))
    own = one_line(version.url) if version.url is not None and role in ("held-back", "preview") else ""
    named = one_line(version.preview) if version.preview is not None else ""
    cut = [
        style.paint(pad(t(word), 9), tone),
        pad(one_line(version.name), name_cells),
        pad(share, 5, right=True),
        pad(age, 10, right=True),
        *(part for part in (stopped, named, own) if part),
    ]
    return "  " + "  ".join(cut)


def _from_the_record(status: DeploymentStatus, now_s: float) -> list[str]:
    """What the kit remembers, where the cloud could not or should not be asked."""
    known = status.deployment
    if known is None:
        return []
    at_s = epoch_s(known.deployed_at)
    said = text(
        "on record: {state}, {version}",
        state=known.state.replace("-", " "),
        version=known.version or text("no version"),
    )
    if at_s is not None:
        said += text(", deployed {span} ago", span=in_words(now_s - at_s))
    below = [known.version_url, known.previous and text("{version} kept serving", version=known.previous)]
    held_back = known.state == "held-back"
    return [f"  {one_line(said)}", *(f"    {one_line(one)}" for one in below if one and held_back)]


def _verdicts(status: DeploymentStatus, target: Target | None) -> list[str]:
    known = status.deployment
    if known is None or (known.verdict_on is None and known.verdict_off is None):
        return []
    verdicts = [
        arm.format(verdict=_verdict(verdict, size, target))
        for verdict, size, arm in (
            (known.verdict_on, known.blocks_on, text("{verdict} with the header")),
            (known.verdict_off, known.blocks_off, text("{verdict} without the header")),
        )
        if verdict is not None
    ]
    return [f"  {one_line(text('measured when deployed: {verdicts}', verdicts=join(', ', verdicts)))}"]


def _verdict(word: str, size: int | None, target: Target | None) -> str:
    """As the gate says it, but for what an older kit did not record: the blocks' size."""
    blocks = size is not None or (target is not None and target.front.hold == "blocks")
    if word == Verdict.BYTE_LIMITED and blocks:
        return verdict_in_words(Verdict.BYTE_LIMITED, Shape.BLOCKS, size, None)
    try:
        return verdict_in_words(Verdict(word), None, None, None)
    except ValueError:
        return one_line(word)


def _expiry(status: DeploymentStatus, style: Style, now_s: float) -> list[str]:
    known = status.deployment
    expires_s = epoch_s(known.expires_at) if known is not None else None
    if known is None or expires_s is None:
        return []
    if is_overdue(known, now_s):
        late = t(text("was to be removed at {time}", time=clock(expires_s, now_s)))
        ago = t(text("{span} ago", span=in_words(now_s - expires_s)))
        return [f"  {style.paint(late, 'wrong')} ({ago}): kit destroy {one_line(known.target)}"]
    said = text(
        "to be removed at {time} (in {span}): kit destroy {target}",
        time=clock(expires_s, now_s),
        span=in_words(expires_s - now_s),
        target=known.target,
    )
    return [f"  {one_line(said)}"]


def _costs(status: DeploymentStatus, style: Style) -> list[str]:
    if status.costs is None:
        why = text("the cloud could not be asked") if status.asked else text("the cloud was not asked")
        return [f"  {t(text('what it costs now is not known: {why}', why=why))}"]
    words = t(_COSTS[status.costs])
    if status.costs != "always":
        return [f"  {words}"]
    running = [version.name for version in status.running]
    runs = text("{versions} run") if len(running) > 1 else text("{versions} runs")
    who = f": {one_line(runs.format(versions=join(' and ', running)))}" if running else ""
    lines = [f"  {style.paint(words, 'wrong')}{who}"]
    lines += [f"    {one_line(status.rates)}"] if status.rates else []
    for line in status.stops_the_costs:
        removes = line.startswith("kit destroy ")
        said = (
            text("this removes the service: {line}")
            if removes
            else text("this stops what has no traffic: {line}")
        )
        lines.append(f"    {one_line(said.format(line=line))}")
    return lines

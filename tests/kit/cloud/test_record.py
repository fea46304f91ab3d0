"""What is deployed is remembered whole, or not at all, and a broken file is never guessed at."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.cloud.record import Record
from kit.errors import Code, KitError
from kit.platforms.deployment import Deployment, State
from tests.fixtures.deployments import deployed

FLEX = deployed("flex", previous=None, proof_until=1_795_350_000, blocks_on=4_096, blocks_off=65_536)
RUN = deployed("run", state="held-back")

TEXTS = st.text(max_size=30)
MAYBE = st.none() | TEXTS
DEPLOYMENTS = st.builds(
    Deployment,
    target=TEXTS,
    platform=TEXTS,
    project=TEXTS,
    region=MAYBE,
    service=TEXTS,
    url=MAYBE,
    version=MAYBE,
    version_url=MAYBE,
    digest=MAYBE,
    state=st.sampled_from(get_args(State)),
    public=st.booleans(),
    created_at=MAYBE,
    deployed_at=MAYBE,
    verdict_on=MAYBE,
    verdict_off=MAYBE,
    blocks_on=st.none() | st.integers(),
    blocks_off=st.none() | st.integers(),
    previous=MAYBE,
    expires_at=MAYBE,
    proof_until=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    proof_token=st.none() | st.text(),
    token_sha256=MAYBE,
)


def test_no_field_is_lost_in_the_file(tmp_path: Path) -> None:
    unset: dict[str, Any] = {one.name: "x" for one in fields(Deployment) if getattr(FLEX, one.name) is None}
    raw = replace(FLEX, **unset)
    Record.load(tmp_path).put(raw)
    assert list(Record.load(tmp_path)) == [raw]


def test_only_its_owner_may_read_the_file_for_a_proofs_secret_is_in_it(tmp_path: Path) -> None:
    Record.load(tmp_path).put(replace(FLEX, proof_token="secret"))
    assert file(tmp_path).stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(Record.load(tmp_path).of("flex"))


def file(folder: Path) -> Path:
    return folder / ".kit" / "deployments.json"


def corrupt(folder: Path, text: str | bytes) -> Path:
    file(folder).parent.mkdir(exist_ok=True)
    file(folder).write_bytes(text if isinstance(text, bytes) else text.encode())
    return file(folder)


@given(
    st.lists(DEPLOYMENTS, max_size=4, unique_by=lambda one: one.target),
    st.dictionaries(TEXTS, DEPLOYMENTS, max_size=2),
)
def test_whatever_is_put_is_what_the_next_run_finds(
    deployments: list[Deployment], previews: dict[str, Deployment]
) -> None:
    with TemporaryDirectory() as name:
        record = Record.load(Path(name))
        for one in deployments:
            record.put(one)
        for preview, one in previews.items():
            record.put_preview(preview, one)
        found = Record.load(Path(name))
        assert dict(found.previews()) == previews
        assert sorted(found, key=str) == sorted(deployments, key=str)
        assert [found.of(one.target) for one in deployments] == deployments


def test_an_empty_folder_has_nothing_deployed_and_stays_empty(tmp_path: Path) -> None:
    record = Record.load(tmp_path)
    assert (len(record), record.of("run")) == (0, None)
    record.drop("run")
    assert not list(tmp_path.iterdir())


def test_a_target_has_one_entry_and_can_be_forgotten(tmp_path: Path) -> None:
    record = Record.load(tmp_path)
    for one in (FLEX, RUN, replace(FLEX, version="sp-later000")):
        record.put(one)
    record.drop("run")
    assert [one.version for one in Record.load(tmp_path)] == ["sp-later000"]


def test_previews_of_a_target_stand_beside_it_and_go_with_it(tmp_path: Path) -> None:
    record = Record.load(tmp_path)
    record.put(RUN)
    record.put_preview("pr-1", RUN)
    record.put_preview("pr-1", FLEX)
    record.put_preview("pr-2", RUN)
    assert json.loads(file(tmp_path).read_text())["schema_version"] == 2
    record.drop_preview("pr-2", "run")
    record.drop_preview("pr-9", "run")
    assert Record.load(tmp_path).previews() == (("pr-1", FLEX), ("pr-1", RUN))
    record.drop("run")
    found = Record.load(tmp_path)
    assert (list(found), found.previews("run"), found.previews()) == ([], (), (("pr-1", FLEX),))
    record.drop_preview("pr-1", "flex")
    # An older kit can read it again.
    assert json.loads(file(tmp_path).read_text()) == {"schema_version": 1, "deployments": {}}


def test_the_folder_keeps_itself_out_of_the_users_repository(tmp_path: Path) -> None:
    Record.load(tmp_path).put(FLEX)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert status.stdout == ""


def test_there_is_no_place_for_a_secret() -> None:
    # A hash of 256 random bits is none. What opens the proof of a user's app does so for an hour, and each
    # measurement meanwhile needs it.
    names = {field.name for field in fields(Deployment)} - {"token_sha256", "proof_token"}
    assert not {name for name in names if any(word in name for word in ("token", "secret", "key", "sha"))}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        b"\xff\xfe",
        "[" * 100_000,
        '{"schema_version": "1", "deployments": {}}',
        '{"schema_version": true, "deployments": {}}',
        '{"schema_version": 0, "deployments": {}}',
        '{"schema_version": 1, "deployments": []}',
        '{"schema_version": 1, "deployments": {"run": {}}}',
        '{"schema_version": 1, "deployments": {}, "more": 1}',
        '{"schema_version": 2, "previews": {"pr-1": {"run": {}}}}',
    ],
)
def test_a_file_that_is_no_record_says_what_rebuilds_it_and_stays(tmp_path: Path, text: str | bytes) -> None:
    path = corrupt(tmp_path, text)
    before = path.read_bytes()
    with pytest.raises(KitError, match=r"deployments\.json") as caught:
        Record.load(tmp_path)
    assert caught.value.code is Code.BAD_RECORD
    assert "kit status --refresh" in caught.value.hint
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("state", "fine"),
        ("public", "yes"),
        ("public", None),
        ("service", None),
        ("service", 1),
        ("target", "flex"),
        ("proof_until", "1"),
        ("proof_until", float("nan")),
        ("token", "hunter2"),
    ],
)
def test_an_entry_with_something_wrong_is_named(tmp_path: Path, key: str, value: object) -> None:
    Record.load(tmp_path).put(RUN)
    raw = json.loads(file(tmp_path).read_text())
    raw["deployments"]["run"][key] = value
    corrupt(tmp_path, json.dumps(raw))
    with pytest.raises(KitError, match=rf"deployments\.run\.{key}") as caught:
        Record.load(tmp_path)
    assert caught.value.code is Code.BAD_RECORD


def test_a_record_that_is_begun_anew_keeps_every_corrupt_file(tmp_path: Path) -> None:
    for broken in ("{", "["):
        corrupt(tmp_path, broken)
        record, aside = Record.anew(tmp_path)
        assert aside is not None
        assert (len(record), aside.read_text()) == (0, broken)
        record.put(FLEX)
    assert len(list(file(tmp_path).parent.glob("deployments.corrupt-*"))) == 2


def test_a_record_that_is_sound_is_not_begun_anew(tmp_path: Path) -> None:
    Record.load(tmp_path).put(FLEX)
    record, aside = Record.anew(tmp_path)
    assert (list(record), aside) == ([FLEX], None)


def test_a_newer_kits_record_is_left_alone(tmp_path: Path) -> None:
    path = corrupt(tmp_path, '{"schema_version": 3, "places": {}}')
    for look in (Record.load, Record.anew):
        with pytest.raises(KitError, match="newer kit") as caught:
            look(tmp_path)
        assert caught.value.code is Code.BAD_RECORD
    assert path.read_text() == '{"schema_version": 3, "places": {}}'


def test_a_folder_that_cannot_be_written_is_one_sentence_and_nothing_is_remembered(tmp_path: Path) -> None:
    (tmp_path / ".kit").write_text("in the way")
    record = Record(tmp_path, {})
    with pytest.raises(KitError) as caught:
        record.put(FLEX)
    assert caught.value.code is Code.CANNOT_WRITE
    assert len(record) == 0


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from kit.cloud.record import Record
folder = Path(sys.argv[1])
print("writing", flush=True)
number = 0
while True:
    record = Record.load(folder)
    for one in list(record):
        record.put(replace(one, previous=f"{number}" * 2000))
    number += 1
"""


def test_a_writer_killed_at_any_moment_leaves_the_old_record_or_the_new_one_whole(tmp_path: Path) -> None:
    Record.load(tmp_path).put(FLEX)
    dice = random.Random(1)
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"writing\n"
            time.sleep(dice.random() / 20)  # at any moment: some 40 writes fit in
            writer.kill()
        found = list(Record.load(tmp_path))
        assert [replace(one, previous=None) for one in found] == [FLEX]
        previous = found[0].previous or "0" * 2000
        assert previous == previous[: len(previous) // 2000] * 2000
    Record.load(tmp_path).put(RUN)
    assert not list(file(tmp_path).parent.glob(".deployments.json.*")), "no draft outlives the next writer"

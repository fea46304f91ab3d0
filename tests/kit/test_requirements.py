"""Theirs and what starts the app: one list, which pip reads as it reads theirs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code, KitError
from kit.requirements import NEEDED, combined, is_hashed, read
from kit.targets import assets

LOCK = (assets() / "deploy" / "requirements.txt").read_text()
HASH = "--hash=sha256:" + "a" * 64


def added(*theirs: str) -> list[str]:
    """What came after theirs, without comments and hashes."""
    lines = combined(theirs, LOCK).decode().splitlines()
    assert lines[: len(theirs)] == list(theirs)
    return [line.split(" ")[0] for line in lines[len(theirs) :] if re.match("[a-z]", line)]


def names(lines: list[str]) -> list[str]:
    return [line.partition("==")[0] for line in lines]


def refused(file: Path) -> KitError:
    with pytest.raises(KitError) as caught:
        read(file)
    assert caught.value.hint
    return caught.value


def test_what_starts_the_app_is_added_pinned_as_the_kit_pins_it() -> None:
    lines = added("fastapi>=0.100", "openai")
    assert names(lines) == list(NEEDED)
    assert all(f"\n{line} " in f"\n{LOCK}" for line in lines)


@pytest.mark.parametrize(
    ("theirs", "lacking"),
    [
        (["gunicorn"], ["uvicorn", "uvicorn-worker"]),
        (["Uvicorn[standard]>=0.30 ; python_version > '3'"], ["gunicorn", "uvicorn-worker"]),
        (["uvicorn_worker==0.3.0  # ours", "gunicorn<26", "UVICORN~=0.50"], []),
        (["uvicorn @ https://example.com/uvicorn.whl"], ["gunicorn", "uvicorn-worker"]),
        (["gunicorn-extras", "# uvicorn"], list(NEEDED)),
        ([], list(NEEDED)),
    ],
)
def test_what_they_name_themselves_stays_theirs(theirs: list[str], lacking: list[str]) -> None:
    assert names(added(*theirs)) == lacking


def test_a_list_with_hashes_gets_hashes_and_all_that_comes_along() -> None:
    text = combined([f"fastapi==1 {HASH}", "# via app"], LOCK).decode()
    entries = re.split(r"\n(?=[a-z])", text)[1:]
    assert [entry.partition("==")[0] for entry in entries] == [
        "click", "gunicorn", "h11", "uvicorn", "uvicorn-worker",
    ]  # fmt: skip
    assert all("--hash=sha256:" in entry for entry in entries)
    assert names(added(f"click==1 {HASH}", f"gunicorn==1 {HASH}")) == ["h11", "uvicorn", "uvicorn-worker"]


def test_a_list_without_hashes_gets_none() -> None:
    assert not is_hashed(combined(["fastapi"], LOCK).decode().splitlines())
    assert is_hashed(["--require-hashes"])
    assert not is_hashed(["fastapi  # --hash=sha256:aa"])


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?", fullmatch=True)


@given(st.lists(st.one_of(NAMES, st.text(st.characters(exclude_categories=["C", "Z"])))))
def test_their_lines_are_kept_and_each_name_comes_once(theirs: list[str]) -> None:
    text = combined(theirs, LOCK).decode()
    kept = "\n".join(theirs).strip("\n")
    assert text.startswith(kept)
    plain = [re.sub("[-_.]+", "-", line).lower() for line in theirs]
    ours = re.findall(r"^([a-z-]+)==\d", text[len(kept) :], re.MULTILINE)
    assert [name for name in NEEDED if name not in plain] == [name for name in ours if name in NEEDED]


# Reading ---------------------------------------------------------------------------------------------------


def test_files_that_it_names_are_read_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "requirements.txt").write_text("\ufeff-r parts/base.txt\r\nopenai\r\n")
    (tmp_path / "parts/base.txt").write_text("fastapi\n--requirement=more.txt\n")
    (tmp_path / "parts/more.txt").write_text("pydantic\n--extra-index-url https://example.com/simple\n")
    assert read(tmp_path / "requirements.txt") == [
        "fastapi",
        "pydantic",
        "--extra-index-url https://example.com/simple",
        "openai",
    ]


def test_a_circle_of_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt")
    (tmp_path / "b.txt").write_text("-ra.txt")
    assert "a.txt names itself with -r" in refused(tmp_path / "a.txt").message


@pytest.mark.parametrize(
    "line",
    [
        "-c constraints.txt", "--constraint=constraints.txt", "-e .", "--editable ./lib", "./lib", "../lib",
        "/srv/lib", ".", "file:lib", "lib @ file:///srv/lib", "lib-1.0-py3-none-any.whl", "lib.tar.gz",
        "--find-links wheels", "-f wheels",
    ],
)  # fmt: skip
def test_a_line_that_needs_other_files_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"fastapi\n{line}\n")
    caught = refused(tmp_path / "requirements.txt")
    assert caught.code is Code.BAD_SOURCE
    assert f"line 2 needs another file or folder: {line!r}" in caught.message
    assert "uv pip compile" in caught.hint


@pytest.mark.parametrize(
    "line",
    [
        "fastapi==0.1; python_version < '4'", "git+https://github.com/a/b@v1", "git+ssh://git@github.com/a/b",
        "lib @ https://example.com/lib-1.0-py3-none-any.whl", "https://example.com/lib.tar.gz", "--pre",
        "--index-url https://${USER}:${TOKEN}@example.com/simple", "--find-links https://example.com/wheels",
        "extras-e", "    --hash=sha256:aa", "",
    ],
)  # fmt: skip
def test_any_other_line_is_kept_as_it_is(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"{line}\n")
    assert read(tmp_path / "requirements.txt") == [line]


@pytest.mark.parametrize("user", ["user:pass-word", "ghp_token"])
def test_an_address_with_a_password_is_named_and_not_repeated(tmp_path: Path, user: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"\n--index-url https://{user}@example.com/simple\n")
    caught = refused(tmp_path / "requirements.txt")
    assert caught.code is Code.SECRET_IN_SOURCE
    assert "line 2" in caught.message
    assert user not in caught.message + caught.hint


def test_a_list_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    caught = refused(tmp_path / "requirements.txt")
    assert "There is no" in caught.message
    assert "uv export" in caught.hint
    (tmp_path / "requirements.txt").write_bytes(b"\xff")
    assert "it is not UTF-8" in refused(tmp_path / "requirements.txt").message
    assert "cannot be read" in refused(tmp_path).message

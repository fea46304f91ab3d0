"""What a release is called, when it counts as the same again, and the app.yaml of its own."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kit.app import App
from kit.cloud.release import preview_version, release, version_name, write_release
from kit.config import Config
from kit.errors import Code, KitError
from kit.platforms.service import PREVIEW_CHARACTERS, Place, Release
from kit.render import render
from kit.targets import load_targets

TARGETS = load_targets()
NOW = 1_800_000_000.0


def place(target: str, service: str | None = None) -> Place:
    known = TARGETS[target]
    region = None if known.platform == "app_engine" else "europe-west1"
    return Place(target, known.platform, "my-project-42", region, service or known.defaults["service"])


def made(
    target: str = "standard",
    config: Config | None = None,
    *,
    at: Place | None = None,
    now_s: float = NOW,
    token_sha256: str | None = None,
    root: Path = Path("build"),
    salt: str | None = None,
    preview: str | None = None,
) -> Release:
    wanted = config or Config()
    return release(
        at or place(target),
        render(TARGETS[target], wanted),
        wanted,
        now_s=now_s,
        creates=False,
        token_sha256=token_sha256,
        root=root,
        salt=salt,
        preview=preview,
    )


def test_a_preview_bears_its_name_and_is_never_the_same_release_as_what_serves() -> None:
    one, serves = made("run", preview="pr-12"), made("run")
    assert re.fullmatch(r"sp-pr-12-[0-9a-z]{4}", one.version)
    assert one.version != made("run", preview="pr-12").version
    assert len(preview_version("pr-12")) == len("pr-12") + PREVIEW_CHARACTERS
    assert (one.preview, one.environment["STREAMPROOF_PREVIEW"]) == ("pr-12", "pr-12")
    assert (serves.preview, serves.environment.get("STREAMPROOF_PREVIEW")) == (None, None)
    digests = {serves.digest, one.digest, made("run", preview="pr-13").digest}
    assert len(digests) == 3
    assert made("run", preview="pr-12").digest == one.digest


@given(st.floats(1_700_000_000, 2_170_000_000), st.floats(1, 1_000_000))
def test_a_versions_name_fits_everywhere_and_later_ones_sort_later(now_s: float, later_s: float) -> None:
    name = version_name(now_s)
    assert re.fullmatch(r"sp-[0-9a-z]{8}", name)
    if now_s + later_s < 2_170_000_000:
        assert name[:9] <= version_name(now_s + later_s)[:9]


def test_names_of_one_second_differ() -> None:
    assert len({version_name(NOW) for _ in range(20)}) > 10


def test_the_proof_is_open_for_the_time_asked_for_and_the_marker_is_there() -> None:
    release = made()
    assert release.environment == {
        "STREAMPROOF_PROOF_UNTIL": "1800003600",
        "STREAMPROOF_BUNDLE": release.digest,
        "STREAMPROOF_APP": "streamproof",
    }


def test_the_project_is_given_where_the_platform_does_not_name_it() -> None:
    projects = {name: made(name).environment.get("GOOGLE_CLOUD_PROJECT") for name in TARGETS}
    assert projects == {"standard": None, "flex": None, "run": "my-project-42", "gke": "my-project-42"}


def test_a_service_is_given_only_the_hash_of_its_token() -> None:
    assert made(token_sha256="ab" * 32).environment["STREAMPROOF_TOKEN_SHA256"] == "ab" * 32


def own(folder: Path, **changes: Any) -> Config:
    """A configuration with an app of the user's own."""
    (folder / "main.py").write_text("app = 1\n")
    (folder / "requirements.txt").write_text("fastapi\n")
    return Config(app=App("main:app", folder, folder / "requirements.txt", "/", ("*.py",)), **changes)


def test_the_proof_around_a_users_app_opens_to_a_secret_of_which_the_service_has_the_hash(
    tmp_path: Path,
) -> None:
    release, again = made("run", own(tmp_path)), made("run", own(tmp_path))
    assert release.proof_token is not None
    assert (
        release.environment["STREAMPROOF_PROOF_TOKEN_SHA256"]
        == sha256(release.proof_token.encode()).hexdigest()
    )
    assert release.proof_token not in repr(release)
    assert release.proof_token not in str(dict(release.environment))
    assert again.proof_token != release.proof_token
    assert again.digest == release.digest, "or each deployment would be another one"


def test_the_kits_own_service_has_no_such_secret_nor_has_an_app_without_the_proof(tmp_path: Path) -> None:
    assert made("run").proof_token is None
    config = own(tmp_path)
    assert config.app is not None
    without = made("run", replace(config, app=replace(config.app, proof=False)))
    assert without.proof_token is None
    assert "STREAMPROOF_PROOF_TOKEN_SHA256" not in without.environment


def test_a_secret_that_the_user_gave_the_service_is_the_one_that_is_shown(tmp_path: Path) -> None:
    given = made("run", own(tmp_path, env={"STREAMPROOF_PROOF_TOKEN": "a-secret-of-the-team"}))
    assert given.proof_token == "a-secret-of-the-team"
    assert "STREAMPROOF_PROOF_TOKEN_SHA256" not in given.environment


def test_only_what_holds_the_releases_variables_is_rendered_for_each_release() -> None:
    folders = {name: made(name).folder for name in TARGETS}
    assert folders == {
        "standard": Path("build/releases/standard"),
        "flex": Path("build/releases/flex"),
        "run": Path("build/run"),
        "gke": Path("build/releases/gke"),
    }


def test_releasing_the_same_again_has_the_same_digest_at_any_time() -> None:
    first, again = made("run"), made("run", now_s=NOW + 86_400)
    assert first.digest == again.digest
    assert re.fullmatch(r"[0-9a-f]{40}", first.digest), "or it is no label's value"


@pytest.mark.parametrize(
    "other",
    [
        Config(targets={"run": {"memory": "1Gi"}}),
        Config(targets={"run": {"timeout_s": 600}}),
        Config(instances=2),
        Config(env={"MINE": "1"}),
        Config(tokens_per_s=31),
    ],
    ids=["a flag", "a flag and the bundle", "instances", "a variable", "the bundle"],
)
def test_whatever_would_change_the_service_changes_the_digest(other: Config) -> None:
    assert made("run", other).digest != made("run").digest


def test_a_token_is_a_change_and_so_is_another_one() -> None:
    one, other = made("run", token_sha256="a" * 64), made("run", token_sha256="b" * 64)
    assert len({one.digest, other.digest, made("run").digest}) == 3


def test_the_services_name_is_no_reason_to_deploy_again() -> None:
    assert made(at=place("standard", "default")).digest == made().digest


def test_the_digest_of_two_targets_differs() -> None:
    assert len({made(name).digest for name in TARGETS}) == len(TARGETS)


def test_what_is_uploaded_is_the_bundle_but_for_the_releases_variables_and_service(tmp_path: Path) -> None:
    config = Config(env={"MINE": "water: 水", "STREAMPROOF_PROOF_UNTIL": "1"})
    bundle = render(TARGETS["standard"], config)
    release = made("standard", config, at=place("standard", "default"), root=tmp_path)
    write_release(release, bundle, config)
    own: dict[str, Any] = yaml.safe_load((release.folder / "app.yaml").read_bytes())
    theirs: dict[str, Any] = yaml.safe_load(bundle.files["app.yaml"])
    assert own.pop("service") == "default"
    assert theirs.pop("service") == "sp-standard"
    variables, before = own.pop("env_variables"), theirs.pop("env_variables")
    assert variables == {**before, **release.environment}
    assert own == theirs
    others = {name: content for name, content in bundle.files.items() if name != "app.yaml"}
    assert {name: (release.folder / name).read_bytes() for name in others} == others


def test_on_gke_the_manifests_of_a_release_are_its_own_and_the_image_is_of_the_same_files(
    tmp_path: Path,
) -> None:
    config = Config(project="my-project-42", region="europe-west1")
    bundle, release = render(TARGETS["gke"], config), made("gke", config, root=tmp_path)
    write_release(release, bundle, config)
    deployment, service, *_ = yaml.safe_load_all((release.folder / "version.yaml").read_bytes())
    for one in (deployment, service):
        assert one["metadata"]["name"] == f"streamproof-{release.version}"
        assert one["metadata"]["labels"]["streamproof-version"] == release.version
        assert one["metadata"]["labels"]["streamproof-bundle"] == release.digest
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}
    assert release.environment.items() <= variables.items()
    assert container["image"].endswith(f":{release.version}")
    others = set(bundle.files) - {"version.yaml", "route.yaml"}
    assert {name: (release.folder / name).read_bytes() for name in others} == {
        name: bundle.files[name] for name in others
    }


def test_what_was_rendered_already_is_not_written_again(tmp_path: Path) -> None:
    write_release(made("run", root=tmp_path), render(TARGETS["run"], Config()), Config())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "releases").write_text("in the way")
    release = made("standard", root=tmp_path)
    with pytest.raises(KitError) as caught:
        write_release(release, render(TARGETS["standard"], Config()), Config())
    assert caught.value.code is Code.CANNOT_WRITE


def test_where_a_release_goes_makes_no_other_release_of_it(tmp_path: Path) -> None:
    config = Config(project="p", region="europe-west1")
    named = replace(config, targets={"gke": {"cluster": "c1"}})
    assert made("gke", config, root=tmp_path).digest == made("gke", named, root=tmp_path).digest
    other = replace(config, targets={"gke": {"cpu": "500m"}})
    assert made("gke", config, root=tmp_path).digest != made("gke", other, root=tmp_path).digest

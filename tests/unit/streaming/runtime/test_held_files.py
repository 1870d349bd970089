"""What a stage reads when it starts is kept as it was when the show began."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from streaming.runtime import held_files
from streaming.runtime.held_files import EYES_VARIABLE, HeldFiles
from streaming.settings.config import Links, Show


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    for name in ("run", "bundle/artifacts", "eyes"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv(EYES_VARIABLE, str(tmp_path / "eyes"))
    for name in ("bundle/manifest.json", "bundle/artifacts/decoder.onnx", "eyes/hand.onnx", "one.png", "one.mask.png"):
        (tmp_path / name).write_text(f"first {name}")
    links = Links(run_dir=str(tmp_path / "run"))
    return Show(bundle=str(tmp_path / "bundle"), links=links, controls={"prior": str(tmp_path / "one.png")})


def test_what_has_not_changed_is_read_where_it_is(show: Show, tmp_path: Path) -> None:
    held = HeldFiles(show)
    held.hold()
    (tmp_path / "bundle" / "artifacts" / "new.onnx").write_text("built beside the show")
    assert held.show_for_restart(show) == (show, {})
    held.close()
    assert not (tmp_path / "run" / "held").exists()


@pytest.mark.parametrize("change", ["deleted", "overwritten", "moved"])
def test_what_has_changed_is_read_from_its_copy(show: Show, tmp_path: Path, change: str) -> None:
    held = HeldFiles(show)
    held.hold()
    for name in ("bundle", "eyes", "one.png"):
        path = tmp_path / name
        if change == "moved":
            path.rename(tmp_path / f"elsewhere-{name}")
        elif path.is_dir():
            file = next(file for file in path.rglob("*.onnx"))
            file.unlink() if change == "deleted" else file.write_text("other")
        else:
            path.unlink() if change == "deleted" else path.write_text("other")
    kept, environment = held.show_for_restart(show)
    assert (Path(kept.bundle) / "artifacts" / "decoder.onnx").read_text() == "first bundle/artifacts/decoder.onnx"
    assert Path(kept.word("prior")).read_text() == "first one.png"
    assert Path(kept.word("prior")).with_suffix(".mask.png").read_text() == "first one.mask.png"
    assert (Path(environment[EYES_VARIABLE]) / "hand.onnx").read_text() == "first eyes/hand.onnx"
    other = show.with_controls(prior=str(tmp_path / "set-later.png"))
    assert held.show_for_restart(other)[0].word("prior") == str(tmp_path / "set-later.png")


def test_a_copy_that_was_removed_is_made_again_but_not_of_other_files(show: Show, tmp_path: Path) -> None:
    held = HeldFiles(show)
    held.hold()
    shutil.rmtree(tmp_path / "run" / "held")
    (tmp_path / "one.png").write_text("other")
    assert held.show_for_restart(show) == (show, {})
    held.hold()
    assert sorted(path.name for path in (tmp_path / "run" / "held").iterdir()) == ["bundle", "eyes"]


def test_what_cannot_be_kept_is_a_note(show: Show, tmp_path: Path) -> None:
    notes: list[str] = []
    held = HeldFiles(show, notes.append)
    (tmp_path / "run" / "held").write_text("a file in the way")
    held.hold()
    assert len(notes) == 3
    assert any("the bundle is not kept for stages that are started again" in line for line in notes)
    held.hold()
    assert len(notes) == 3, "each is said once"
    assert held.show_for_restart(show) == (show, {})


def test_engines_that_are_built_beside_the_show_are_used(
    show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks = {"bundle": 2, "held": 3}

    def missing(backend: str, bundle: str) -> dict[str, dict[int, None]]:
        return {"onnxruntime": dict.fromkeys(range(lacks["bundle" if bundle == show.bundle else "held"]))}

    monkeypatch.setattr(held_files, "missing_artifacts", missing)
    held = HeldFiles(show)
    held.hold()
    (tmp_path / "bundle" / "artifacts" / "decoder.onnx").write_text("built again")
    assert held.show_for_restart(show)[0].bundle == show.bundle
    lacks["bundle"] = 4
    (tmp_path / "bundle" / "artifacts" / "decoder.onnx").write_text("damaged")
    assert held.show_for_restart(show)[0].bundle != show.bundle
    lacks["bundle"] = 2
    (tmp_path / "bundle" / "manifest.json").write_text("other")
    assert held.show_for_restart(show)[0].bundle != show.bundle


@pytest.mark.parametrize("name", ["bundle/manifest.json", "one.png"])
def test_what_was_overwritten_before_it_was_copied_is_not_held(show: Show, tmp_path: Path, name: str) -> None:
    """A copy of the other file would be taken for what the show has."""
    notes: list[str] = []
    held = HeldFiles(show, notes.append)
    (tmp_path / name).write_text("other")
    held.hold()
    source = "bundle" if name.startswith("bundle") else "prior"
    assert not (tmp_path / "run" / "held" / source).exists()
    assert [line for line in notes if "was changed before it was copied" in line and source in line] == notes
    assert held.show_for_restart(show) == (show, {})


def test_a_file_that_is_overwritten_while_it_is_copied_leaves_no_torn_copy(
    show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfile

    def overwritten(source: Path, target: Path) -> None:
        copy(source, target)
        if source.name == "one.png":
            source.write_text("other")

    monkeypatch.setattr(shutil, "copyfile", overwritten)
    notes: list[str] = []
    HeldFiles(show, notes.append).hold()
    assert sorted(path.name for path in (tmp_path / "run" / "held").iterdir()) == ["bundle", "eyes"]
    assert len(notes) == 1


def test_weights_are_held_also_while_engines_are_built_and_those_follow(
    show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that changes, and one that vanishes: a builder's file gets its name when it is whole."""
    artifacts, copy = tmp_path / "bundle" / "artifacts", shutil.copyfile
    (artifacts / "part.tmp").write_text("half")

    def built(source: Path, target: Path) -> None:
        if source.name == "part.tmp":
            source.unlink()
        copy(source, target)
        if source.name == "decoder.onnx":
            source.write_text("built again")

    monkeypatch.setattr(shutil, "copyfile", built)
    notes: list[str] = []
    held = HeldFiles(show, notes.append)
    assert not held.hold()
    monkeypatch.setattr(shutil, "copyfile", copy)
    copies = tmp_path / "run" / "held" / "bundle"
    assert [path.name for path in copies.rglob("*") if path.is_file()] == ["manifest.json"]
    (tmp_path / "bundle" / "manifest.json").write_text("other")
    assert (Path(held.show_for_restart(show)[0].bundle) / "manifest.json").read_text() == "first bundle/manifest.json"
    assert held.hold()
    assert (copies / "artifacts" / "decoder.onnx").read_text() == "built again"
    assert (copies / "manifest.json").read_text() == "first bundle/manifest.json"
    assert notes == []


def test_a_file_that_is_overwritten_and_given_its_old_time_again_has_changed(show: Show, tmp_path: Path) -> None:
    held = HeldFiles(show)
    held.hold()
    manifest = tmp_path / "bundle" / "manifest.json"
    before = manifest.stat()
    manifest.write_text("other bundle/manifest.json")
    os.utime(manifest, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert manifest.stat().st_size == before.st_size
    assert held.show_for_restart(show)[0].bundle != show.bundle


def test_a_show_without_eyes_of_its_own_has_none_to_hold(show: Show, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "eyes")
    notes: list[str] = []
    HeldFiles(show, notes.append).hold()
    assert notes == []


def test_a_disk_that_a_copy_would_fill_is_left_to_the_show(
    show: Show, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_files, "RESERVE_BYTES", 10**18)
    notes: list[str] = []
    HeldFiles(show, notes.append).hold()
    assert len([line for line in notes if "No space left on device" in line]) == len(notes) == 3
    assert not (tmp_path / "run" / "held").exists()

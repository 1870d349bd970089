"""What a stage reads when it starts is kept as it was when the show began."""

from __future__ import annotations

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
    assert "the bundle is not kept for stages that are started again" in notes[0]
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
    assert held.show_for_restart(show)[0].bundle != show.bundle
    lacks["bundle"] = 2
    (tmp_path / "bundle" / "manifest.json").write_text("other")
    assert held.show_for_restart(show)[0].bundle != show.bundle

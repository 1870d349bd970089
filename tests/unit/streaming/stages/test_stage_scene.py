"""The scene stage: one reader of prior images, which confirms what it shows and keeps it for a restart."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streaming.devices.stills.prior import fit_screen, load_prior
from streaming.errors import SourceError
from streaming.scenes.layered_scene import (
    LayeredScene,
    PackedScene,
    SceneLayer,
    SceneMode,
    grid_of,
    pack_scene,
    unpack_scene,
)
from streaming.schema.messages import Message, Scene, Set
from streaming.settings.config import Links, Show
from streaming.stage import Context, Inputs
from streaming.stages.scene import FILE_NAME, SceneStage
from streaming.telemetry.metrics import Metrics
from streaming.vision.frame_features import fit_square


def make_plain(image: np.ndarray, mask: np.ndarray | None) -> PackedScene:
    """A scene of the ground and, with a mask, of a thing that covers what is white in it."""
    height, width = image.shape[:2]
    boxes = [(0, 0, width, height)] if mask is None else [(0, 0, width, height), (8, 8, 40, 40)]
    layers: list[SceneLayer] = []
    for box in boxes:
        cover = np.full((box[3] - box[1], box[2] - box[0], 4), 255, np.uint8)
        layers.append(
            SceneLayer("thing" if layers else "ground", box, cover, np.ones((1, *grid_of(box), 2), np.float32))
        )
    modes = tuple(SceneMode(n, "slide", 1.0, 0.3, 0.02, (0.0, 0.0), (1.0, 0.0), 0.4) for n in range(len(layers)))
    return pack_scene(LayeredScene(image, tuple(layers), modes))


class SceneShow:
    """A scene stage in a run folder, with priors from files."""

    def __init__(
        self,
        run_dir: Path | None,
        prior: str = "",
        memo: dict[str, Any] | None = None,
        loader: Callable[[str], np.ndarray] = load_prior,
    ) -> None:
        self.confirmed: list[tuple[object, str]] = []
        self.notes: list[str] = []
        self.woken = threading.Event()
        self.metrics = Metrics()
        self.stage = SceneStage(loader, make_plain)
        self.context = Context(
            Show(controls={"prior": prior}, links=Links(run_dir=str(run_dir or ""))),
            self.metrics,
            wake=self.woken.set,
            memo=memo or {},
            note=self.notes.append,
            confirm=lambda control, refusal: self.confirmed.append((control.value, str(refusal or ""))),
        )
        self.stage.setup(self.context)

    def step(self, *controls: Set, now_ns: int = 1) -> Scene | None:
        found: list[Message] = list(self.stage.step(Inputs(controls=list(controls)), now_ns))
        assert len(found) <= 1
        return found[0] if found and isinstance(found[0], Scene) else None

    def set_prior(self, path: object) -> Scene | None:
        """Set the control, and step until it has been answered."""
        answers = len(self.confirmed)
        self.woken.clear()
        scene = self.step(Set(name="prior", value=str(path)))
        for _ in range(10):
            if len(self.confirmed) > answers:
                return scene
            assert self.woken.wait(20.0)
            self.woken.clear()
            scene = self.step() or scene
        raise AssertionError("it was never answered")


def write_image(path: Path, level: int, size: tuple[int, int] = (96, 64)) -> Path:
    rng = np.random.default_rng(level)
    cv2.imwrite(str(path), rng.integers(0, level + 1, (size[1], size[0], 3), dtype=np.uint8))
    return path


def test_it_publishes_the_first_prior_once_at_once(tmp_path: Path) -> None:
    path = write_image(tmp_path / "one.png", 200)
    show = SceneShow(tmp_path, str(path))
    assert show.stage.wake_ns() == 0
    scene = show.step()
    assert scene is not None
    prior = load_prior(str(path))
    assert np.array_equal(scene.image, fit_screen(prior, (768, 512)))
    assert np.array_equal(scene.still, fit_square(prior, 128))
    assert scene.name == "one.png"
    assert show.context.info == {"prior": "one.png", "size": [768, 512]}
    assert show.step() is None
    assert show.stage.wake_ns() is None
    assert show.confirmed == []


def test_another_prior_is_confirmed_with_its_scene_and_has_the_screens_size(tmp_path: Path) -> None:
    show = SceneShow(tmp_path, str(write_image(tmp_path / "one.png", 200)))
    first = show.step()
    other = write_image(tmp_path / "other.png", 90, (64, 96))
    scene = show.set_prior(other)
    assert scene is not None
    assert first is not None
    assert scene.identity != first.identity
    assert scene.image.shape == (512, 768, 3)
    assert show.confirmed == [(str(other), "")]


def test_the_same_image_under_another_name_has_the_same_identity(tmp_path: Path) -> None:
    path = write_image(tmp_path / "one.png", 200)
    show = SceneShow(tmp_path, str(path))
    first = show.step()
    copy = tmp_path / "copy.png"
    copy.write_bytes(path.read_bytes())
    again = show.set_prior(copy)
    assert first is not None
    assert again is not None
    assert again.identity == first.identity
    digest = hashlib.sha256(repr(first.image.shape).encode() + first.image.tobytes() + first.still.tobytes())
    assert first.identity == digest.hexdigest()[:16]


@pytest.mark.parametrize("kind", ["text", "missing", "folder", "fifo", "device"])
def test_what_is_no_picture_is_refused_in_one_line_and_the_present_one_stays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "prior.png"
    if kind == "text":
        path.write_text("a still image, said the text file\n" * 20)
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    show = SceneShow(tmp_path)
    show.step()
    began = time.monotonic_ns()  # noqa: TID251
    assert show.set_prior(path) is None
    assert time.monotonic_ns() - began < 2e9  # noqa: TID251
    ((value, line),) = show.confirmed
    assert value == str(path)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert show.metrics.take().counters == {"priors_refused": 1}
    good = write_image(tmp_path / "good.png", 100)
    assert show.set_prior(good) is not None, "and the next one works"


def test_a_first_prior_that_is_no_picture_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        SceneShow(tmp_path, str(tmp_path / "missing.png"))


def test_a_read_that_hangs_is_refused_when_its_time_is_over_and_a_later_one_works(tmp_path: Path) -> None:
    may = threading.Event()

    def load(path: str) -> np.ndarray:
        if path == "hangs":
            may.wait(30.0)
        return np.full((64, 96, 3), len(path), np.uint8)

    show = SceneShow(tmp_path, "one", loader=load)
    show.step()
    assert show.step(Set(name="prior", value="hangs"), now_ns=1) is None
    deadline = show.stage.wake_ns()
    assert deadline == 30_000_000_001
    show.step(now_ns=deadline)
    assert show.confirmed == [("hangs", "hangs: was not read within 30 s; copy it to this machine's own disk")]
    scene = show.set_prior("later")
    assert scene is not None
    assert show.confirmed[1:] == [("later", "")]
    may.set()


def test_of_two_that_are_set_at_once_the_first_is_told_that_it_was_replaced(tmp_path: Path) -> None:
    may = threading.Event()

    def load(path: str) -> np.ndarray:
        if path == "first":
            may.wait(30.0)
        return np.full((64, 96, 3), len(path), np.uint8)

    show = SceneShow(tmp_path, "", loader=load)
    show.step()
    show.step(Set(name="prior", value="first"))
    show.set_prior("second one")
    if len(show.confirmed) < 2:
        show.woken.wait(10.0)
        show.step()
    may.set()
    assert [value for value, _ in show.confirmed] == ["first", "second one"]
    assert "replaced" in show.confirmed[0][1]
    assert show.confirmed[1][1] == ""


def test_a_restarted_stage_has_the_scene_whatever_became_of_the_file(tmp_path: Path) -> None:
    path, other = write_image(tmp_path / "one.png", 200), write_image(tmp_path / "other.png", 90, (64, 96))
    show = SceneShow(tmp_path, str(path))
    show.step()
    shown = show.set_prior(other)
    other.unlink()
    again = SceneShow(tmp_path, str(other), memo=dict(show.context.memo))
    scene = again.step()
    assert scene is not None
    assert shown is not None
    assert (scene.identity, scene.name) == (shown.identity, "other.png")
    assert np.array_equal(scene.image, shown.image)
    assert np.array_equal(scene.still, shown.still)
    for name in PackedScene._fields:
        assert np.array_equal(getattr(scene, name), getattr(shown, name)), name
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0, "nobody else may read it"


@pytest.mark.parametrize("harm", ["cut", "changed", "gone"])
def test_a_stored_scene_that_is_not_what_was_stored_is_not_used(tmp_path: Path, harm: str) -> None:
    path = write_image(tmp_path / "one.png", 200)
    show = SceneShow(tmp_path, str(path))
    shown = show.step()
    assert shown is not None
    file = tmp_path / FILE_NAME
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:5_000])
    elif harm == "changed":
        np.savez(file, identity=shown.identity, name="one.png", image=shown.image + 1, still=shown.still)
    else:
        file.unlink()
    again = SceneShow(tmp_path, str(path), memo=dict(show.context.memo)).step()
    assert again is not None
    assert again.identity == shown.identity, "it is read from its file"


def test_a_show_that_begins_reads_its_prior_and_not_what_another_left(tmp_path: Path) -> None:
    SceneShow(tmp_path, str(write_image(tmp_path / "one.png", 200))).step()
    scene = SceneShow(tmp_path, str(write_image(tmp_path / "other.png", 90))).step()
    assert scene is not None
    assert scene.name == "other.png"


def test_closing_removes_what_was_stored(tmp_path: Path) -> None:
    show = SceneShow(tmp_path)
    assert (tmp_path / FILE_NAME).exists()
    show.stage.close()
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_that_cannot_be_written_is_said_and_the_show_goes_on(tmp_path: Path) -> None:
    show = SceneShow(tmp_path / "missing")
    assert show.step() is not None
    assert "not stored for a restart" in show.notes[0]


def test_a_prior_that_is_set_before_the_first_scene_is_published_is_not_confirmed_by_that_one(tmp_path: Path) -> None:
    show = SceneShow(tmp_path)
    missing = tmp_path / "missing.png"
    scene = show.set_prior(missing)
    assert scene is not None
    assert scene.name == "the shipped image"
    assert show.confirmed == [(str(missing), f"{missing}: there is no such file; give an image")]


def test_the_layers_and_modes_are_in_the_message(tmp_path: Path) -> None:
    show = SceneShow(tmp_path, str(write_image(tmp_path / "one.png", 200)))
    scene = show.step()
    assert scene is not None
    packed = PackedScene(*(getattr(scene, name) for name in PackedScene._fields))
    layers = unpack_scene(scene.image, packed).layers
    assert [layer.kind for layer in layers] == ["ground"]
    assert packed.mode_names == ["slide"]


def test_an_artists_mask_beside_the_image_is_taken_and_makes_another_identity(tmp_path: Path) -> None:
    path = write_image(tmp_path / "one.png", 200)
    show = SceneShow(tmp_path, str(path))
    plain = show.step()
    drawn = np.zeros((64, 96), np.uint8)
    drawn[20:40, 30:60] = 255
    cv2.imwrite(str(tmp_path / "one.mask.png"), drawn)
    scene = show.set_prior(path)
    assert plain is not None
    assert scene is not None
    assert scene.kinds == ["ground", "thing"]
    assert scene.identity != plain.identity


def test_a_mask_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "one.png", 200)
    show = SceneShow(tmp_path)
    show.step()
    (tmp_path / "one.mask.png").write_text("no picture")
    assert show.set_prior(path) is None
    assert "one.mask.png" in show.confirmed[0][1]


def test_a_stored_scene_with_other_layers_than_were_stored_is_not_used(tmp_path: Path) -> None:
    path = write_image(tmp_path / "one.png", 200)
    show = SceneShow(tmp_path, str(path))
    show.step()
    with np.load(tmp_path / FILE_NAME) as data:
        arrays = dict(data)
    arrays["fields"] = arrays["fields"] * 2
    np.savez(tmp_path / FILE_NAME, **arrays)
    path.unlink()
    with pytest.raises(SourceError, match="no such file"):
        SceneShow(tmp_path, str(path), memo=dict(show.context.memo))

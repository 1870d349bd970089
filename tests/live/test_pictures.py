"""Whole performances with pictures by the real command; the networks that make them are as they begin, untaught."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from torch import nn

from engines.bundles import find_bundle
from models.pictures.painter import Painter
from streaming.commands.control_client import request_control
from streaming.errors import UserError
from streaming.settings.config import Links
from tests.live.place import CHECKOUT, ShowFolder, output_of, wait_for
from training.bundling import write_network

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle, with a painter that changes things at random."""
    folder = tmp_path_factory.mktemp("bundles") / "random"
    shutil.copytree(find_bundle("default"), folder, ignore=shutil.ignore_patterns("artifacts"))
    torch.manual_seed(0)
    painter = Painter()
    nn.init.normal_(painter.leave.weight, std=0.003)
    write_network(folder, "painter", painter, {})
    subprocess.run([sys.executable, "-m", "export", str(folder)], cwd=CHECKOUT, check=True, capture_output=True)
    return folder


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Three seconds of a tone that comes and goes, then silence: 13 s."""
    path = tmp_path / "music.wav"
    t = np.arange(13 * 48_000) / 48_000
    sound = 0.4 * np.sin(2 * np.pi * 330 * t) * (np.sin(2 * np.pi * 1.5 * t) > 0) * (t < 3.0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def prior(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8), (800, 600), interpolation=cv2.INTER_CUBIC)
    path = tmp_path / "prior.png"
    cv2.imwrite(str(path), image)
    return path


def pictures_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]


def test_music_moves_the_prior_image_and_silence_gives_it_back(
    stage: ShowFolder, bundle: Path, music: Path, prior: Path
) -> None:
    stage.direction = "music-to-video"
    shown = stage.folder / "shown.mp4"
    words = ["--bundle", str(bundle), "--microphone", str(music), "--prior", str(prior), "--screen", f"file:{shown}"]
    done = stage.perform(*words, "--duration", "6", "--report", str(stage.folder / "r.json"))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report = stage.report()
    assert report["direction"] == "music-to-video"
    assert report["sound_to_picture_ms"]["n"] > 100
    assert report["pictures"]["shown"] + report["pictures"]["missed"] >= 148
    assert report["motion_to_sound_ms"]["n"] is None
    assert report["ticks"]["expected"] is None
    pictures = pictures_of(shown)
    assert abs(len(pictures) - 150) <= 3
    assert pictures[0].shape == (512, 688, 3)
    still = cv2.resize(cv2.imread(str(prior)), (688, 512), interpolation=cv2.INTER_CUBIC).astype(float)
    away = [float(np.abs(picture - still).mean()) for picture in pictures]
    assert max(away[:75]) > 3.0 * away[-1]
    assert away[-1] < 8.0, "what H.264 makes of it"
    assert [path.suffix for path in (stage.folder / "films").glob("*.mp4")] == [".mp4"]


@pytest.mark.parametrize("victim", ["microphone", "hearing", "scene", "flow", "picture", "screen"])
def test_a_killed_stage_of_the_pictures_comes_back_and_the_sound_never_stops(
    stage: ShowFolder, bundle: Path, victim: str
) -> None:
    stage.direction = "both"
    words = ["--bundle", str(bundle), "--microphone", "self", "--screen", "none", "--camera", "performer:keys@1"]
    with stage.begin(*words, *output_of(stage), "--duration", "8") as show:
        wait_for(stage.sounding)
        os.kill(stage.pid_of(victim), signal.SIGKILL)
        _, errors = show.communicate(timeout=120)
    assert show.returncode == 0, errors
    report = stage.report()
    assert report["stages"][victim]["restarts"] == 1
    assert report["stages"][victim]["recovery_ms"][0] < 2_000.0
    assert report["audio"]["underruns"] == 0
    assert report["ticks"]["expected"] == 200
    screen = report["stages"]["screen"]
    assert screen["gauges"]["tick"] >= 200 - 13, "pictures go on to the end, but for what had no time to be reported"
    assert report["pictures"]["shown"] > 50


def test_a_prior_is_answered_for_when_it_is_shown_and_kept_when_its_file_is_gone(
    stage: ShowFolder, music: Path, prior: Path
) -> None:
    """A text, a FIFO and a folder are refused; a deleted file harms neither other controls nor a killed stage."""
    stage.direction = "music-to-video"
    other, text, fifo = (stage.folder / name for name in ("other.png", "text.png", "fifo.png"))
    cv2.imwrite(str(other), np.full((600, 800, 3), (40, 90, 200), np.uint8))
    text.write_text("a still image, said the text file\n" * 20)
    os.mkfifo(fifo)
    shown, report = stage.folder / "shown.mp4", stage.folder / "r.json"
    words = ["--microphone", str(music), "--prior", str(prior), "--screen", f"file:{shown}", "--report", str(report)]

    links = Links(run_dir=str(stage.run_dir))

    def is_replaced(victim: str, pid: int) -> bool:
        return stage.pid_of(victim) != pid

    with stage.begin(*words, "--duration", "12") as show:
        wait_for(shown.exists)
        for path, word in ((text, "is no picture"), (fifo, "is no regular file"), (stage.folder, "is a folder")):
            with pytest.raises(UserError, match=word) as caught:
                request_control(links, "prior", str(path))
            assert caught.value.where == str(path)
        assert request_control(links, "prior", str(other)) == [f"prior is now {other}"]
        other.unlink()
        assert request_control(links, "motion", "0.5") == ["motion is now 0.5"]
        for victim in ("picture", "scene"):
            before = stage.pid_of(victim)
            os.kill(before, signal.SIGKILL)
            wait_for(functools.partial(is_replaced, victim, before))
        _, errors = show.communicate(timeout=120)
    assert show.returncode == 0, errors
    measured = stage.report()
    assert [measured["stages"][name]["restarts"] for name in ("picture", "scene")] == [1, 1]
    last = pictures_of(shown)[-1]
    assert np.abs(last.astype(int) - (40, 90, 200)).mean() < 12.0, "the deleted prior is shown to the end"
    assert not (stage.run_dir / "scene.npz").exists()


@pytest.mark.parametrize(
    "argv",
    [
        ["--prior", "music.wav"],
        ["--microphone", "prior.png"],
        ["--microphone", "no such device"],
        ["--screen", "window:9"],
        ["--imagination", "2"],
    ],
)
def test_bad_words_are_one_line(stage: ShowFolder, bundle: Path, music: Path, prior: Path, argv: list[str]) -> None:
    stage.direction = "music-to-video"
    named = [str(stage.folder / word) if "." in word else word for word in argv]
    usual = ["--microphone", str(music), "--prior", str(prior), "--screen", "none"]
    done = stage.perform("--bundle", str(bundle), *usual, *named)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1

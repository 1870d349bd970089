"""Footage to data set by the real command: good and broken files, a kill in the middle, and two ways to run it."""

from __future__ import annotations

import html
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.films import turn_mp4, write_film
from training.footage.dataset import Dataset, DatasetError, assign_splits, item_facts
from training.measures.onsets import detect_onsets
from training.prepare import offset_between

CHECKOUT = Path(__file__).resolve().parents[2]
EVENTS = (0.8, 1.64, 2.4, 3.32)
GOOD = 12
"""Every combination of container, codec, sound and frame rate once."""


def shoot(folder: Path, good: int = GOOD) -> dict[str, Path]:
    """A folder of good films, and six that are broken in different ways."""
    folder.mkdir()
    for n in range(good):
        write_film(
            folder / f"take {n:02d}.{('mp4', 'mkv', 'avi')[n % 3]}",
            [event + 0.01 * n for event in EVENTS],
            rate=(25.0, 30.0, 24.0, 15.0)[n % 4],
            codec="mpeg4" if n % 3 == 2 else "libx264",
            sound_codec="aac" if n % 3 == 0 else "pcm_s16le",
            samplerate=(48_000, 44_100, 32_000)[n % 3],
        )
    odd = {
        "truncated": write_film(folder / "truncated.mp4", EVENTS, sound_codec="aac"),
        "no sound": write_film(folder / "no sound.mp4", EVENTS, sound=False),
        "no picture": write_film(folder / "no picture.mp4", EVENTS, picture=False, sound_codec="aac"),
        "variable": write_film(folder / "variable.mkv", EVENTS, jitter=0.4, rate=30.0, codec="libx264"),
        "turned": write_film(folder / "turned.mp4", EVENTS, sound_codec="aac", codec="libx264"),
        "late": write_film(folder / "late.mkv", [event + 3.0 for event in EVENTS], seconds=7.0, sound_from=3.0),
    }
    cut = odd["truncated"].read_bytes()
    odd["truncated"].write_bytes(cut[: len(cut) // 2])
    turn_mp4(odd["turned"])
    (folder / "notes.txt").write_text("not a video")
    return odd


def command(folder: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "training.prepare", str(folder), "--out", str(out), *more]


def run(folder: Path, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, out, *more), capture_output=True, text=True, timeout=250, cwd=CHECKOUT, check=False
    )


def contents(out: Path) -> dict[str, Any]:
    """Everything in a data set that must not depend on how it was made."""
    found: dict[str, Any] = {path.name: path.read_bytes() for path in sorted((out / "features").iterdir())}
    for facts in item_facts(out):
        found[facts["name"]] = facts
    return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    folder, out = tmp_path_factory.mktemp("a") / "films", tmp_path_factory.mktemp("b") / "set"
    shoot(folder)
    done = run(folder, out)
    assert done.returncode == 0, done.stderr
    return folder, out, done.stdout


def test_the_good_are_prepared_and_the_broken_listed_with_reasons(prepared: tuple[Path, Path, str]) -> None:
    _, out, words = prepared
    facts = {Path(f["source"]).stem: f for f in item_facts(out)}
    assert len(facts) == GOOD + 6
    refused = {name: f["why"] for name, f in facts.items() if f["status"] == "refused"}
    assert set(refused) == {"truncated", "no sound", "no picture"}
    assert "no sound" in refused["no sound"]
    assert "no picture" in refused["no picture"]
    noted = {name: " ".join(f["notes"]) for name, f in facts.items() if f["status"] == "ready"}
    assert "varies" in noted["variable"]
    assert "turned" in noted["turned"]
    assert "3.00 s after" in noted["late"]
    assert f"{GOOD + 3} prepared, 3 refused" in words
    page = (out / "summary.html").read_text()
    assert all(html.escape(why) in page for why in refused.values())
    assert page.count("data:image/jpeg") == GOOD + 3


def test_every_item_is_aligned_to_ten_milliseconds(prepared: tuple[Path, Path, str]) -> None:
    _, out, _ = prepared
    for item in Dataset(out):
        source = next(f["source"] for f in item_facts(out) if f["name"] == item.name)
        shift = 0.01 * int(Path(source).stem[-2:]) if "take" in source else 0.0
        wanted = np.array(EVENTS) + shift
        struck = detect_onsets(item.sound)
        nearest = struck[np.abs(struck[:, None] - wanted).argmin(0)]
        assert np.abs(nearest - wanted).max() < 0.010, item.name
        # A flash's first picture is at most a frame late; its own time is the tick's less its age.
        moving = item.speed.astype(np.float32).mean((1, 2))
        taken = np.arange(item.ticks) / 25 - item.age_s
        seen = np.array([taken[(taken > w - 0.011) & (taken < w + 0.1)][:1] for w in wanted]).ravel()
        assert seen.size == wanted.size
        assert ((seen - wanted) > -0.011).all(), item.name
        assert ((seen - wanted) < 1 / 14).all(), item.name
        assert moving.shape == (item.ticks,)


def test_an_item_is_what_it_says(prepared: tuple[Path, Path, str]) -> None:
    _, out, _ = prepared
    items = Dataset(out)
    assert len(items) == GOOD + 3
    assert {item.split for item in items} == {"train", "valid", "test"}
    assert sum(len(Dataset(out, split)) for split in ("train", "valid", "test")) == len(items)
    item = items[0]
    t = item.ticks
    assert (item.flow.shape, item.speed.shape, item.embedding.shape) == ((t, 2, 16, 16), (t, 16, 16), (t, 128))
    assert (item.codes.shape, item.mel.shape, item.sound.shape) == ((t, 4, 2), (4 * t, 80), (1280 * t,))
    assert item.codes.dtype == np.int16
    assert item.media.exists()
    assert len(items[1:3]) == 2
    with pytest.raises(DatasetError, match="no data set"):
        Dataset(out / "media")


def test_the_second_run_does_nothing_and_a_changed_file_is_done_again(prepared: tuple[Path, Path, str]) -> None:
    folder, out, _ = prepared
    before = {path: path.stat().st_mtime_ns for path in (out / "features").iterdir()}
    assert run(folder, out).returncode == 0
    assert before == {path: path.stat().st_mtime_ns for path in (out / "features").iterdir()}
    write_film(folder / "take 01.mkv", EVENTS, seconds=3.0)
    assert run(folder, out).returncode == 0
    changed = {path.name for path, at in before.items() if path.stat().st_mtime_ns != at}
    assert len(changed) == 1
    assert "take-01" in changed.pop()


@pytest.mark.media
def test_a_kill_at_any_moment_and_a_second_run_lose_nothing(tmp_path: Path) -> None:
    shoot(tmp_path / "films", 3)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run(tmp_path / "films", whole, "--workers", "2").returncode == 0
    for items in (1, 4):
        with subprocess.Popen(
            command(tmp_path / "films", cut, "--workers", "2"),
            cwd=CHECKOUT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            while process.poll() is None and len(list((cut / "items").glob("*.json"))) < items:
                signal.sigtimedwait([], 0.01)
            assert process.returncode is None, "it was still at work"
            os.killpg(process.pid, signal.SIGKILL)
    assert run(tmp_path / "films", cut, "--workers", "1").returncode == 0
    assert contents(cut) == contents(whole)
    assert not list(cut.rglob(".*.part"))


@pytest.mark.media
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (the extra cluster)")
def test_a_cluster_makes_the_same_data_set(tmp_path: Path) -> None:
    shoot(tmp_path / "films", 2)
    assert run(tmp_path / "films", tmp_path / "here", "--workers", "1").returncode == 0
    done = run(tmp_path / "films", tmp_path / "there", "--cluster", "local")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


@pytest.mark.parametrize(
    ("argv", "says"),
    [(["nowhere", "--out", "x"], "no such folder"), ([".", "--out", "x", "--workers", "0"], "at least 1")],
)
def test_bad_words_are_one_line(argv: list[str], says: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "training.prepare", *argv],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_splits_stay_and_none_is_empty() -> None:
    first = assign_splits([f"piece {n}" for n in range(4)], {})
    assert set(first.values()) == {"train", "valid", "test"}
    more = assign_splits([f"piece {n}" for n in range(60)], first)
    assert all(more[group] == split for group, split in first.items())
    assert list(more.values()).count("train") > 35


def test_the_lag_between_movement_and_sound_is_found() -> None:
    rng = np.random.default_rng(3)
    movement, heard = np.zeros(500, np.float32), np.zeros(500 * 1280, np.float32)
    for tick in rng.choice(np.arange(10, 480), 40, replace=False):
        movement[tick:] = 1.0 - movement[tick]
        at = (tick + 3) * 1280 + 300
        heard[at : at + 800] += 0.5 * rng.standard_normal(800).astype(np.float32)
    offset, sure = offset_between(movement, heard)
    assert offset == 120.0
    assert sure > 6.0
    assert offset_between(np.zeros(500, np.float32), heard) == (None, 0.0)

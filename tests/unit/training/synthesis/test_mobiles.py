"""Procedural pictures: sound moves their things and silence brings the still back; the flow says what moved where."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.synthesis.conventions import FRAME_SIZE
from training.synthesis.mobiles import BANDS, Mobile


def music(ticks: int = 75, seed: int = 0) -> np.ndarray:
    """Two seconds of beats in every band, then silence."""
    push = np.zeros((ticks, BANDS), np.float32)
    rng = np.random.default_rng(seed)
    for band in range(BANDS):
        push[rng.integers(0, 12) : ticks // 2 : 12, band] = 1.0
    return push


@pytest.mark.parametrize("seed", range(6))
def test_the_same_seed_is_the_same_picture_and_silence_leaves_it(seed: int) -> None:
    mobile = Mobile(seed)
    rest = np.zeros((len(mobile.things), 4), np.float32)
    still = mobile.frame(rest)
    assert still.shape == (FRAME_SIZE[1], FRAME_SIZE[0], 3)
    assert still.std() > 4.0, "there is something to see"
    assert np.array_equal(still, Mobile(seed).frame(rest))
    other = Mobile(seed + 50)
    assert not np.array_equal(still, other.frame(np.zeros((len(other.things), 4), np.float32)))
    assert not mobile.sway(np.zeros((20, BANDS), np.float32)).any()


def test_what_is_pushed_moves_and_comes_to_rest() -> None:
    moved, left = [], []
    for seed in range(12):
        mobile = Mobile(seed)
        push = np.concatenate([music(), np.zeros((150, BANDS), np.float32)])
        pose = mobile.sway(push)
        assert np.isfinite(pose).all()
        assert np.abs(pose[..., :2]).max() < 1.0
        moved.append(np.abs(pose[:40]).max())
        left.append(np.abs(pose[-1]).max())
    assert np.median(moved) > 0.02
    assert np.max(left) < 0.02


def test_a_thing_is_moved_by_its_own_band() -> None:
    mobile = Mobile(3)
    for band in range(BANDS):
        push = np.zeros((25, BANDS), np.float32)
        push[:, band] = 1.0
        pose = np.abs(mobile.sway(push)).max((0, 2))
        for thing, far in zip(mobile.things, pose, strict=True):
            assert (far > 0) == (thing.band == band and any(thing.push))


def test_the_flow_takes_one_frame_to_the_next() -> None:
    """Warped back along the flow, the next frame is nearer to this one than it is by itself, wherever things moved."""
    better = []
    for seed in range(8):
        mobile = Mobile(seed, (256, 192))
        pose = mobile.sway(music(seed=seed))
        tick = int(np.argmax(np.abs(np.diff(pose[:38, :, :2], axis=0)).sum((1, 2))))
        here, after = mobile.frame(pose[tick]), mobile.frame(pose[tick + 1])
        flow = mobile.flow(pose[tick], pose[tick + 1])
        y, x = np.mgrid[0:192, 0:256].astype(np.float32)
        step = flow * 256 / 25
        back = cv2.remap(after, x + step[0], y + step[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moving = np.hypot(*step) > 0.5
        if moving.sum() > 50:
            plain = np.abs(after.astype(float) - here)[moving].mean()
            better.append(np.abs(back.astype(float) - here)[moving].mean() / max(plain, 1e-6))
    assert len(better) >= 3
    assert np.median(better) < 0.7

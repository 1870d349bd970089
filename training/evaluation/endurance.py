"""Plays an hour of music and then silence to the reverse loop: does the picture wash out, does it come to rest?

Silence comes first, then held-out renders at various levels, then silence again, all through the live stages, tick by
tick. Brightness, saturation and sharpness are compared with those of the prior image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from streaming.conventions import TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.stills.prior import fit_screen, load_prior, screen_size
from streaming.settings.config import Show
from training.datasets.codec import TEST_SEED, render_clip
from training.evaluation.offline_reverse_loop import animate

RESTED_DB = 35.0
"""A picture this close to the prior (PSNR) is at rest."""
TAIL_S = 10.0
EVERY = 5
"""One picture in this many is measured."""

Image = NDArray[np.uint8]


def appearance_of(image: Image) -> NDArray[np.float64]:
    """Mean luma, mean HSV saturation and mean absolute Laplacian of a picture; 0 to 255."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    saturation = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[..., 1]
    return np.array([grey.mean(), saturation.mean(), np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean()])


def psnr_to_prior(image: Image, prior: Image) -> float:
    """Peak signal-to-noise ratio of a picture to the prior in dB; 99 where they are equal."""
    return float(cv2.PSNR(image, prior)) if np.any(image != prior) else 99.0


def rests_after(psnr: NDArray[np.float64]) -> float | None:
    """Seconds until a series of PSNRs (dB, one per tick) stays above `RESTED_DB`; None where it never does."""
    moving = np.flatnonzero(psnr < RESTED_DB)
    if not moving.size:
        return 0.0
    return None if moving[-1] == psnr.size - 1 else float(moving[-1] + 1) / TICKS_PER_SECOND


def music_of(minutes: float, seed: int = TEST_SEED) -> NDArray[np.float32]:
    """Held-out renders in a row, each at a random level: float32 at 32 kHz, in whole ticks."""
    sample_count = round(minutes * 60 * TICKS_PER_SECOND) * TICK_SAMPLES
    rng = np.random.default_rng(seed)
    out = np.zeros(sample_count, np.float32)

    def clips() -> Iterator[NDArray[np.float32]]:
        while True:
            clip = render_clip(seed + int(rng.integers(400))).astype(np.float32) / 32768.0
            peak = max(0.02, float(np.abs(clip).max()))
            yield clip / np.float32(peak) * np.float32(10.0 ** (rng.uniform(-24.0, -1.0) / 20.0))

    at, source = 0, clips()
    while at < sample_count:
        clip = next(source)[: sample_count - at]
        out[at : at + clip.size] = clip
        at += clip.size
    return out


def evaluate_endurance(bundle: str, minutes: float, silence_minutes: float, prior: str = "") -> dict[str, Any]:
    """Play silence, music and silence, and measure the pictures.

    Args:
        bundle: name or folder.
        minutes: of music.
        silence_minutes: of silence before it.
        prior: a still image; "" for the shipped one.
    """
    still = load_prior(prior)
    quiet = np.zeros(round(silence_minutes * 60 * TICKS_PER_SECOND) * TICK_SAMPLES, np.float32)
    tail = np.zeros(round(TAIL_S * TICKS_PER_SECOND) * TICK_SAMPLES, np.float32)
    sound = np.concatenate([quiet, music_of(minutes), tail])
    before, after = quiet.size // TICK_SAMPLES, tail.size // TICK_SAMPLES
    ticks = sound.size // TICK_SAMPLES
    screen_still = fit_screen(still, screen_size(still))
    looks, psnr = [], np.zeros(ticks)
    for tick, moment in enumerate(tqdm(animate(sound, still, Show(bundle=bundle)), total=ticks, mininterval=10)):
        assert moment.picture is not None
        psnr[tick] = psnr_to_prior(moment.picture, screen_still)
        if before <= tick < ticks - after and tick % EVERY == 0:
            looks.append(appearance_of(moment.picture))
    change = np.mean(looks, 0) / appearance_of(screen_still) - 1.0
    music = psnr[before : ticks - after]
    return {
        "split": "held-out renders, never trained on, one after the other; the shipped still",
        "minutes": minutes,
        "silence_minutes": silence_minutes,
        "silence_psnr_db_least": round(float(psnr[:before].min()), 2) if before else None,
        "music_psnr_db_mean": round(float(music.mean()), 2),
        "rest_after_s": rests_after(psnr[ticks - after :]),
        "rest_psnr_db_last": round(float(psnr[-1]), 2),
        "brightness_change": round(float(change[0]), 4),
        "saturation_change": round(float(change[1]), 4),
        "sharpness_change": round(float(change[2]), 4),
    }

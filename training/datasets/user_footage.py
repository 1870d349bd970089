"""A prepared data set of one's own footage as training examples, cut into clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from streaming.conventions import MOTION_FEATURES, SAMPLE_RATE, TICK_SAMPLES, TOKEN_FRAMES_PER_TICK
from training.datasets.translator import MEL_BANDS, Examples, attack_frames, mel_frames
from training.footage.dataset import Dataset, DatasetError, Item
from training.measures.pitch import pitch_track
from training.prepare import networks_hash
from training.synthesis.conventions import CLIP_TICKS

STRIDE = CLIP_TICKS // 2
"""Ticks between the starts of two clips of an item: every moment is in two of them."""
STILL_AFTER = 0.04
"""Age of the frame beyond an item's end, in seconds."""


def examples_of(folder: Path, bundle: Path, split: str = "train") -> Examples:
    """The clips of one split of a data set, as examples for the latent space and the translator.

    Args:
        folder: made by `python -m training.prepare` with this bundle.
        bundle: the bundle that the data set was prepared with.
        split: "train", "valid" or "test".

    Raises:
        DatasetError: when it was prepared with other networks or without motion features, or the split is empty.
    """
    data = Dataset(folder, split)
    if data.about["networks"] != networks_hash(bundle):
        raise DatasetError(
            f"{folder}: prepared with another codec or visual network than {bundle} has; "
            f"prepare it again: python -m training.prepare FOLDER --bundle {bundle} --out DATASET"
        )
    if any(item.features is None for item in data):
        raise DatasetError(
            f"{folder}: prepared before there were motion features; "
            f"prepare it again: python -m training.prepare FOLDER --bundle {bundle} --out DATASET"
        )
    clips = [clip for item in tqdm(data, desc="footage", mininterval=5) for clip in _clips(item)]
    if not clips:
        raise DatasetError(f"{folder}: nothing in its split {split!r}; prepare more footage")
    return Examples(*(torch.from_numpy(np.stack(column)) for column in zip(*clips, strict=True)))


def sounds_of(folder: Path, seconds: float, rate: int = SAMPLE_RATE) -> NDArray[np.int16]:
    """The sound of a data set's training items, cut into clips int16 [clips, seconds * rate]; the last one is padded.

    Raises:
        DatasetError: when there is none.
    """
    size = round(seconds * rate)
    rows = []
    for item in Dataset(folder, "train"):
        sound = np.pad(item.sound, (0, -item.sound.size % size))
        rows.append((sound.reshape(-1, size) * 32767).astype(np.int16))
    if not rows:
        raise DatasetError(f"{folder}: nothing in its split 'train'; prepare more footage")
    return np.concatenate(rows)


def _clips(item: Item) -> list[tuple[NDArray[np.generic], ...]]:
    """Whole clips of an item, and one that ends with it; a short item is padded with stillness and silence."""
    last = max(0, item.ticks - CLIP_TICKS)
    begins = sorted({*range(0, last + 1, STRIDE), last})
    return [_clip(item, begin) for begin in begins]


def _clip(item: Item, begin: int) -> tuple[NDArray[np.generic], ...]:
    """The columns of `Examples`, in order."""
    span = slice(begin, begin + CLIP_TICKS)
    codes = np.zeros((3, CLIP_TICKS, *item.codes.shape[1:]), item.codes.dtype)
    codes[0] = _pad(item.codes[span])
    sound = item.sound[begin * TICK_SAMPLES : (begin + CLIP_TICKS) * TICK_SAMPLES]
    sound = np.pad(sound, (0, CLIP_TICKS * TICK_SAMPLES - sound.size))
    mel = mel_frames(torch.from_numpy(sound), MEL_BANDS).unflatten(0, (-1, TOKEN_FRAMES_PER_TICK)).flatten(1)
    age = np.full(CLIP_TICKS, STILL_AFTER, np.float32)
    there = item.age_s[span]
    age[: there.size] = np.maximum(there, 0.0)
    return (
        _pad(item.flow[span]),
        _pad(item.speed[span]),
        _pad(item.embedding[span]),
        age,
        codes,
        np.zeros(3, np.int64),
        mel.numpy().astype(np.float16),
        attack_frames(sound),
        np.nan_to_num(pitch_track(sound)).reshape(CLIP_TICKS, TOKEN_FRAMES_PER_TICK).astype(np.float16),
        _pad(np.zeros((0, MOTION_FEATURES), np.float16) if item.features is None else item.features[span]),
    )


def _pad(x: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.pad(x, ((0, CLIP_TICKS - x.shape[0]), *((0, 0),) * (x.ndim - 1)))

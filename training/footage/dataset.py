"""A prepared data set on disk, and its items as arrays on one time base.

Layout of the folder, one file each per item `NAME`:

    dataset.json             what prepared it: schema, bundle, hashes of its networks, the split of each group
    items/NAME.json          the item's facts, or why it was refused; written last, so that an item is whole or absent
    media/NAME.mkv           H.264 at exactly 25 fps, and the sound at 44.1 kHz as FLAC
    features/NAME.safetensors
    thumbs/NAME.jpg
    summary.html
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

SCHEMA = 1
SPLITS = ("train", "valid", "test")
SHARES = (0.8, 0.1, 0.1)
MEL_BANDS = 80
MEL_HOP = 320
"""Samples at 32 kHz between two spectra: 100 a second, 4 per tick. A spectrum covers the samples up to its own end."""


class DatasetError(Exception):
    """A folder that is no data set, or not the one that is needed."""


@dataclass(frozen=True)
class Item:
    """One source on the time base of ticks (T of them, 40 ms each); row t covers 40 t to 40 (t + 1) ms.

    Attributes:
        name: of the item; group: items of one group show the same thing; split: where the group belongs.
        flow: float16 [T, 2, 16, 16], frame sides per second; x to the right, y down.
        speed: float16 [T, 16, 16], frame sides per second.
        embedding: float16 [T, 128], by the bundle's visual network.
        age_s: float32 [T], age of the frame at the start of its tick; negative where the frame is later.
        codes: frames of the bundle's codec or vocoder: int16 [T, 4, 2], or float16 [T, D, 2].
        mel: float16 [4 T, 80], log10 mel magnitude (window 1024 at 32 kHz), -5 at least; row 4 t + k ends (k + 1) * 10
            ms
            after the start of tick t.
        sound: float32 [1280 T], -1..1, mono, 32 kHz.
        media: the normalized video; its first frame is tick 0.
        features: float16 [T, 26], see `streaming.vision.motion.feature_names.NAMES`; None in data sets that were made
            before there were any.
    """

    name: str
    group: str
    split: str
    flow: NDArray[np.float16]
    speed: NDArray[np.float16]
    embedding: NDArray[np.float16]
    age_s: NDArray[np.float32]
    codes: NDArray[Any]
    mel: NDArray[np.float16]
    sound: NDArray[np.float32]
    media: Path
    features: NDArray[np.float16] | None = None

    @property
    def ticks(self) -> int:
        """Length in ticks."""
        return int(self.age_s.shape[0])


class Dataset(Sequence[Item]):
    """The items of one split, or all, by name; arrays are read when an item is taken.

    Args:
        folder: made by `python -m training.prepare`.
        split: "train", "valid", "test", or "" for all.

    Raises:
        DatasetError: when the folder holds no data set, or one of another schema.
        ValueError: for an unknown split.
    """

    def __init__(self, folder: Path, split: str = "") -> None:
        if split not in ("", *SPLITS):
            raise ValueError(f"no such split: {split!r}; use one of {', '.join(SPLITS)}")
        self.folder = folder
        self.about = read_about(folder)
        self._facts = [
            facts
            for facts in item_facts(folder)
            if facts["status"] == "ready" and split in ("", self.about["splits"].get(facts["group"]))
        ]

    def __len__(self) -> int:
        """The number of items."""
        return len(self._facts)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        """An item, read from disk."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        facts = self._facts[index]
        name = str(facts["name"])
        arrays: dict[str, Any] = load_file(self.folder / "features" / f"{name}.safetensors")
        sound = arrays.pop("sound").astype(np.float32) / 32767.0
        media = self.folder / "media" / f"{name}.mkv"
        split = self.about["splits"][facts["group"]]
        return Item(name=name, group=facts["group"], split=split, sound=sound, media=media, **arrays)


def read_about(folder: Path) -> dict[str, Any]:
    """The facts of a whole data set.

    Raises:
        DatasetError: when there is none, or it has another schema.
    """
    try:
        about: dict[str, Any] = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{folder}: no data set (prepare one: python -m training.prepare FOLDER --out DATASET)"
        ) from error
    if about.get("schema") != SCHEMA:
        raise DatasetError(f"{folder}: a data set of schema {about.get('schema')}, not {SCHEMA}; prepare it again")
    return about


def item_facts(folder: Path) -> Iterator[dict[str, Any]]:
    """The facts of every item, prepared or refused."""
    for path in sorted((folder / "items").glob("*.json")):
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        yield facts


def assign_splits(groups: Sequence[str], before: dict[str, str]) -> dict[str, str]:
    """The split of each group: earlier assignments stay, a new group goes by its hash.

    A group is never in two splits. With at least three groups no split is empty.
    """
    order = sorted(set(groups), key=_place)
    splits = {group: before[group] for group in order if group in before}
    for group in order:
        if group not in splits:
            splits[group] = (
                "test" if _place(group) < SHARES[2] else "valid" if _place(group) < 1 - SHARES[0] else "train"
            )
    for split_name in ("test", "valid"):
        if len(order) >= 3 and split_name not in splits.values():
            free = [group for group in order if splits[group] == "train" and group not in before]
            if free:
                splits[free[0]] = split_name
    return splits


def _place(group: str) -> float:
    return int(hashlib.sha256(os.fsencode(group)).hexdigest()[:12], 16) / 16**12


def write_json(path: Path, value: Any) -> None:
    """Write a file atomically: a reader, or the next run after a kill, finds all of it or none."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(path)

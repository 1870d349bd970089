"""What was seen of very many players at a few ticks, kept small: one of them a still, a later one what is to be seen.

A thousand players are soon known by heart, with whatever is behind them: where an arm was, a painter that knows them
paints what it remembers. Ten thousand are not, and a dozen looks at each is enough.

Nothing else moves: no sound says that a camera shakes or that somebody walks past, and a painter that is asked for it
can but blur what might have moved.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from engines.bundles import SOUNDING, identity, network_entry, representation
from models.codec import TokenCodec
from models.embedding import POINTS, SIDE
from models.latent import Latent
from models.mel import Vocoder
from models.pose import before
from streaming.features import fit_square
from streaming.messages import FLOW_GRID, TICKS_PER_SECOND
from streaming.performer.performer import LABEL_NAMES
from training.bundling import load_network, sounding_of
from training.examples import FRAMES, taken
from training.performances import SIZE, TICKS, performer_of, sound_of
from training.pictures import Pictures
from training.pool import open_executor
from training.scenes import STILL_SIDE, embedded

VIEW_SEED = 3_000_000
LOOKS = 12
"""Views of a clip, its first among them."""
PER_FILE = 40
FROM_START = 0.5
"""How often the still is the clip's first view, as a show's most often is."""
GREY = 127
LAYOUT = 4
"""Raised when a made file holds something else than before."""
_COLUMNS = [LABEL_NAMES.index(f"{point}_{axis}") for point in POINTS for axis in "xy"]
_ROWS = STILL_SIDE * SIZE[1] // SIZE[0]
_TOP = (STILL_SIDE - _ROWS) // 2


@dataclass
class Views:
    """Clips as tensors, one row each, V views of each in their order.

    Attributes:
        seen: uint8 [N, V, rows, STILL_SIDE, 3], the pictures within their squares.
        ticks: int16 [N, V], when that was.
        known: float16 [N, V, E], the view's embedding.
        heard: float16 [N, T, D], the audio latents of every tick.
        places: float16 [N, T, P, 2], where the points of `models.embedding.POINTS` truly are, in -1..1.
    """

    seen: Tensor
    ticks: Tensor
    known: Tensor
    heard: Tensor
    places: Tensor

    def rows(self, which: slice) -> Views:
        """Some of the clips."""
        return Views(*(getattr(self, field.name)[which] for field in fields(self)))

    def pairs(self, rng: np.random.Generator, count: int) -> Pictures:
        """So many stills and what is to be seen later, nothing moved meanwhile."""
        clips, views = self.seen.shape[:2]
        clip = torch.from_numpy(rng.integers(0, clips, count))
        start = np.where(rng.random(count) < FROM_START, 0, rng.integers(0, views - 1, count))
        later = torch.from_numpy(start + 1 + (rng.random(count) * (views - 1 - start)).astype(np.int64))
        begun = torch.from_numpy(start)
        prior, wanted = (self._square(clip, at) for at in (begun, later))
        still = torch.zeros(count, 2, FLOW_GRID, FLOW_GRID, dtype=torch.float16)
        return Pictures(
            prior=prior,
            warped=prior,
            wanted=wanted,
            where=still,
            flow=still,
            heard=self.heard[clip[:, None], before(self.ticks[clip, later].long())].flatten(1),
            hidden=torch.zeros(count, STILL_SIDE, STILL_SIDE, dtype=torch.bool),
            seen=self.known[clip, begun],
            now=self.known[clip, later],
            chance=torch.zeros(count),
            turns=torch.zeros(count, dtype=torch.bool),
        )

    def _square(self, clip: Tensor, view: Tensor) -> Tensor:
        out = torch.full((len(clip), STILL_SIDE, STILL_SIDE, 3), GREY, dtype=torch.uint8)
        out[:, _TOP : _TOP + _ROWS] = self.seen[clip, view]
        return out


@cache
def _hearing(bundle: Path) -> tuple[TokenCodec | Vocoder, Latent]:
    latent = load_network(bundle, "latent")
    if not isinstance(latent, Latent):
        raise TypeError("the bundle's latent space is of another class")
    return sounding_of(bundle), latent


@torch.inference_mode()
def look(seed: int, bundle: Path) -> dict[str, NDArray[Any]]:
    """A clip's views, at its first tick and at others by chance, and what is heard: a row of `Views` as arrays."""
    sounding, latent = _hearing(bundle)
    sound = torch.from_numpy(np.asarray(sound_of(seed), np.float32))
    frames = sounding.encode(sound[None, None])[0].unflatten(1, (-1, FRAMES)).transpose(0, 1)
    heard = latent.audio(latent.sound_of(taken(frames[None])))[0]
    ticks = 1 + np.random.default_rng([seed, 911]).choice(TICKS - 1, LOOKS - 1, replace=False)
    ticks = np.concatenate([[0], np.sort(ticks)])
    performer = performer_of(seed, undisturbed=True)
    true = np.stack([performer.labels(tick / TICKS_PER_SECOND)[_COLUMNS] for tick in range(TICKS)])
    pictures = [performer.frame(tick / TICKS_PER_SECOND) for tick in ticks]
    seen, large = (np.stack([fit_square(picture, side) for picture in pictures]) for side in (STILL_SIDE, SIDE))
    known = embedded(torch.from_numpy(large), bundle)
    return {
        "seen": seen[:, _TOP : _TOP + _ROWS],
        "ticks": ticks.astype(np.int16),
        "known": known.numpy(),
        "heard": heard.half().numpy(),
        "places": (2.0 * true - 1.0).reshape(TICKS, -1, 2).astype(np.float16),
    }


def senses(bundle: Path) -> str:
    """Eight letters that say which networks look and hear, and what is kept of it."""
    networks = (SOUNDING[representation(bundle)], "latent", "embedding")
    made_by = "".join(identity(network_entry(bundle, network)) for network in networks) + str(LAYOUT)
    return hashlib.sha256(made_by.encode()).hexdigest()[:8]


def _file(seeds: range, folder: Path, bundle: Path) -> Path:
    path = folder / f"views-{seeds.start}-{len(seeds)}-{senses(bundle)}.npz"
    if path.exists():
        return path
    torch.set_num_threads(1)
    looked = [look(seed, bundle) for seed in seeds]
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        np.savez(out, allow_pickle=False, **{name: np.stack([one[name] for one in looked]) for name in looked[0]})
    part.replace(path)
    return path


def load_views(folder: Path, bundle: Path, clips: int, workers: int = 2) -> Views:
    """Look at so many players, files of 40 going on where an earlier call was stopped; 0.4 MB and 0.15 s for each.

    Args:
        folder: for what is made, under names with the networks' hash.
        bundle: whose networks hear and see.
        clips: how many.
        workers: processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = range(VIEW_SEED, VIEW_SEED + clips)
    jobs = [whole[first : first + PER_FILE] for first in range(0, clips, PER_FILE)]
    columns: dict[str, Tensor] = {}
    with open_executor(workers) as pool:
        made = pool.map(partial(_file, folder=folder, bundle=bundle.resolve()), jobs)
        for seeds, path in zip(jobs, tqdm(made, total=len(jobs), desc="views", mininterval=5), strict=True):
            first = seeds.start - VIEW_SEED
            with np.load(path) as file:
                for name in file.files:
                    part = torch.from_numpy(file[name])
                    rows = columns.setdefault(name, part.new_empty(clips, *part.shape[1:]))
                    rows[first : first + len(seeds)] = part
    return Views(**columns)

"""The pose network's data set: very many players, heard at every tick and seen at a few.

They are others than the painter's (`training.datasets.painter_views`). On players that it was trained with, a pose
network is more accurate than on others, and the painter would learn to trust it more than it deserves on stage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from engines.bundles import identity, network_entry, weights_of
from models.codec.codec import TokenCodec
from models.codec.mel import Vocoder
from models.translation.latent import Latent
from models.vision.embedding import POINTS, SIDE
from performers.gestures import J
from streaming.conventions import TICKS_PER_SECOND, TOKEN_FRAMES_PER_TICK
from streaming.vision.frame_features import fit_square
from training.bundling import load_network, load_sound_network
from training.datasets.animator import embed_stills
from training.datasets.translator import to_network_dtype
from training.loop.pool import open_executor
from training.synthesis.conventions import CLIP_TICKS
from training.synthesis.recordings import performer_of, sound_of

PLAYER_SEED = 3_100_000
LOOKS = 4
"""Views per player, the first tick's among them."""
PER_FILE = 40
LAYOUT = 5
"""File format; raised when its content changes."""

Row = dict[str, NDArray[Any]]


class PlayerClips(NamedTuple):
    """Clips of players with T ticks and V views.

    audio [N, T, D]: audio latents; places [N, T, P, 2]: true places of `models.vision.embedding.POINTS`, in -1..1;
    embeddings [N, V, E] and ticks [N, V] of the views, the first tick first; body [N, T, P, 3]: points in the body's
    own space, see `performers.gestures`; bow [N, T]: how far the bow is drawn, NaN without one.
    """

    audio: Tensor
    places: Tensor
    embeddings: Tensor
    ticks: Tensor
    body: Tensor
    bow: Tensor

    def rows(self, which: Any) -> PlayerClips:
        """Some of the clips."""
        return PlayerClips(*(column[which] for column in self))


@cache
def _networks(bundle: Path) -> tuple[TokenCodec | Vocoder, Latent, nn.Module]:
    latent = load_network(bundle, "latent")
    if not isinstance(latent, Latent):
        raise TypeError("the bundle's latent space is of another class")
    return load_sound_network(bundle), latent, load_network(bundle, "embedding")


@torch.inference_mode()
def follow_player(seed: int, bundle: Path, looks: int = LOOKS) -> tuple[Row, list[NDArray[np.uint8]]]:
    """Render one player with a steady camera: every tick heard, a few seen.

    Returns:
        A row of `PlayerClips` as arrays (int16 ticks [V]; float16 known [V, E], heard [T, D], places [T, P, 2], body
        [T, P, 3], drawn [T]), and the views.
    """
    sounding, latent, eyes = _networks(bundle)
    sound = torch.from_numpy(np.asarray(sound_of(seed), np.float32))
    frames = sounding.encode(sound[None, None])[0].unflatten(1, (-1, TOKEN_FRAMES_PER_TICK)).transpose(0, 1)
    audio = latent.audio(latent.sound_of(to_network_dtype(frames[None])))[0]
    ticks = 1 + np.random.default_rng([seed, 911]).choice(CLIP_TICKS - 1, looks - 1, replace=False)
    ticks = np.concatenate([[0], np.sort(ticks)])
    performer = performer_of(seed, undisturbed=True)
    true = np.stack([performer.places(tick / TICKS_PER_SECOND, POINTS) for tick in range(CLIP_TICKS)]).clip(0.0, 1.0)
    pictures = [performer.frame(tick / TICKS_PER_SECOND) for tick in ticks]
    joints, bow = [J[name] for name in POINTS], getattr(performer.body.gesture, "bow_position", None)
    times = [tick / TICKS_PER_SECOND for tick in range(CLIP_TICKS)]
    embeddings = embed_stills(torch.from_numpy(np.stack([fit_square(picture, SIDE) for picture in pictures])), eyes)
    row: Row = {
        "ticks": ticks.astype(np.int16),
        "known": embeddings.numpy(),
        "heard": audio.half().numpy(),
        "places": (2.0 * true - 1.0).astype(np.float16),
        "body": np.stack([performer.body.pose(time).points[joints] for time in times]).astype(np.float16),
        "drawn": np.array([bow.at(time)[0] if bow else np.nan for time in times], np.float16),
    }
    return row, pictures


def _player_row(seed: int, bundle: Path) -> Row:
    return follow_player(seed, bundle)[0]


def networks_tag(bundle: Path) -> str:
    """Eight hex digits that name the bundle's networks and the file format."""
    networks = (weights_of(bundle, "encoder"), "latent", "embedding")
    made_by = "".join(identity(network_entry(bundle, network)) for network in networks) + str(LAYOUT)
    return hashlib.sha256(made_by.encode()).hexdigest()[:8]


def _file(seeds: range, make: Callable[[int, Path], Row], name: str, folder: Path, bundle: Path) -> Path:
    path = folder / f"{name}-{seeds.start}-{len(seeds)}-{networks_tag(bundle)}.npz"
    if path.exists():
        return path
    torch.set_num_threads(1)
    rows = [make(seed, bundle) for seed in seeds]
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        np.savez(out, allow_pickle=False, **{key: np.stack([row[key] for row in rows]) for key in rows[0]})
    part.replace(path)
    return path


@dataclass(frozen=True)
class RowFiles:
    """Rows of one kind, 40 to a file, under names with the networks' hash.

    Attributes:
        name: of the files and the progress bar.
        first: the first seed.
        make: makes a row from a seed and a bundle's folder; a module's function, since processes import it.
    """

    name: str
    first: int
    make: Callable[[int, Path], Row]

    def load(self, folder: Path, bundle: Path, count: int, workers: int = 2) -> dict[str, Tensor]:
        """Load so many rows, stacked; missing files are made, existing ones are kept.

        Args:
            folder: for the files.
            bundle: the bundle whose networks hear and see.
            count: number of rows.
            workers: processes.
        """
        folder.mkdir(parents=True, exist_ok=True)
        whole = range(self.first, self.first + count)
        jobs = [whole[first : first + PER_FILE] for first in range(0, count, PER_FILE)]
        columns: dict[str, Tensor] = {}
        one = partial(_file, make=self.make, name=self.name, folder=folder, bundle=bundle.resolve())
        with open_executor(workers) as pool:
            paths = pool.map(one, jobs)
            for seeds, path in zip(jobs, tqdm(paths, total=len(jobs), desc=self.name, mininterval=5), strict=True):
                first = seeds.start - self.first
                with np.load(path) as file:
                    for name in file.files:
                        part = torch.from_numpy(file[name])
                        rows = columns.setdefault(name, part.new_empty(count, *part.shape[1:]))
                        rows[first : first + len(seeds)] = part
        return columns


def load_players(folder: Path, bundle: Path, count: int, workers: int = 2) -> PlayerClips:
    """Make or load so many players, 80 kB and 0.15 s each; see `RowFiles.load`."""
    columns = RowFiles("players", PLAYER_SEED, _player_row).load(folder, bundle, count, workers)
    return PlayerClips(*(columns[name] for name in ("heard", "places", "known", "ticks", "body", "drawn")))

"""What the network that hears explains of true springs' motion beyond the drive made by hand, on held-out scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.bundles import find_bundle
from engines.registry import has_network, open_engine
from streaming.scenes.hand_drive import HandDrive, ModeDrive
from streaming.scenes.layered_scene import MAX_MODES, SceneMode
from streaming.scenes.network_drive import NetworkDrive
from streaming.scenes.springs import LIMIT, Springs
from training.datasets.driven_scenes import TEST_SEED, DrivenClip, hear_clip
from training.evaluation.reverse.measures.time_courses import Course, explained_share, gained_share
from training.evaluation.reverse.scores.figures import Figures, rounded
from training.networks.pictures.drive import true_motion
from training.synthesis.force_law import draw_modes

MODES = 10
DRAWS = 200
"""Of the bootstrap over clips (Efron 1979)."""


def score_drive(bundle: str, clips: int, soundfont: Path | None = None) -> Figures:
    """`explained_beyond_bands`, and the control `explained_other_sound` with the next clip's sound in the network.

    The hand-made drive hears the right sound in both. `_unfitted` takes the network's motion as it is, in place of the
    hand-made one with its best gain; below 0 it is worse than that.

    Args:
        bundle: name or folder; without a network `drive` there are no figures.
        clips: how many held-out ones, at least two.
        soundfont: what plays them; None for the one that Debian installs.
    """
    if not has_network("drive", bundle):
        return {"explained_beyond_bands": None, "explained_other_sound": None}
    folder = find_bundle(bundle)
    heard = [hear_clip(TEST_SEED + number, folder, None, soundfont) for number in range(clips)]
    network, hand = NetworkDrive(open_engine("drive", bundle=bundle)), HandDrive()
    rng = np.random.default_rng(71)
    rows: dict[str, list[Course]] = {"true": [], "hand": [], "network": [], "other": []}
    for number, clip in enumerate(heard):
        modes, true = true_course(clip, rng)
        other = heard[(number + 1) % len(heard)]
        rows["true"].append(true)
        rows["hand"].append(drive_course(hand, modes, clip))
        rows["network"].append(drive_course(network, modes, clip))
        rows["other"].append(drive_course(network, modes, other))
    return summarize_shares(rows["true"], rows["hand"], rows["network"], rows["other"])


def summarize_shares(
    true: Sequence[Course], hand: Sequence[Course], network: Sequence[Course], other: Sequence[Course]
) -> Figures:
    """The shares over all clips, with bootstrap intervals over the clips.

    Args:
        true: for each clip the true amplitudes [T, M].
        hand: those of the hand-made drive.
        network: those of the network.
        other: those of the network that hears another clip's sound.
    """
    figures: Figures = {}
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(true), (DRAWS, len(true)))
    for name, courses in (("explained_beyond_bands", network), ("explained_other_sound", other)):
        again = [explained_share(*([rows[i] for i in draw] for rows in (true, hand, courses))) for draw in draws]
        figures[name] = rounded(explained_share(true, hand, courses))
        figures[f"{name}_interval"] = [rounded(float(edge)) for edge in np.percentile(again, [2.5, 97.5])]
        figures[f"{name}_unfitted"] = rounded(gained_share(true, hand, courses))
    return figures | {"explained_clips": len(true)}


def true_course(clip: DrivenClip, rng: np.random.Generator) -> tuple[list[SceneMode], NDArray[np.float32]]:
    """A clip's modes, a performer's and drawn ones, and their true amplitudes [T, M] within the springs' limit."""
    players = list(clip.players_modes())[:MODES]
    modes = [*players, *draw_modes(rng, MODES - len(players))]
    x, _, _ = true_motion(clip, modes)
    x[:, : len(players)] = clip.course[:, : len(players)]
    return modes, np.asarray(LIMIT * np.tanh(x / LIMIT), np.float32)


def drive_course(drive: ModeDrive, modes: Sequence[SceneMode], clip: DrivenClip) -> NDArray[np.float32]:
    """The amplitudes [T, M] to which a drive brings modes by the likeliest forces."""
    drive.reset()
    drive.take_scene(modes)
    springs, quiet = Springs(modes), np.zeros((MAX_MODES, 2), np.float32)
    course = []
    for latent, bands in zip(clip.latent.astype(np.float32), clip.bands.astype(np.float32), strict=True):
        course.append(springs.step(*drive.step(latent, bands, quiet)))
    return np.asarray(course, np.float32)

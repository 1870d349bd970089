"""The drive's data set: music and recordings as the network hears them, their notes, and how players move to them.

A clip holds a sound's audio latents and bands, its notes, and for a synthetic performer how its body moves, in the
modes that a scene has of a person. The modes of other scenes are drawn anew each time a clip is used, and their forces
follow from the notes by `training.synthesis.force_law`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.bundles import identity, network_entry, weights_of
from models.codec.codec import TokenCodec
from models.codec.mel import Vocoder
from models.translation.latent import Latent
from performers.kinds import KINDS
from streaming.audio.sound_bands import SoundBands
from streaming.conventions import TICK_SAMPLES, TICKS_PER_SECOND, TOKEN_FRAMES_PER_TICK
from streaming.scenes.layered_scene import SceneMode, modes_to_table, table_to_modes
from training.bundling import load_network, load_sound_network
from training.datasets.sounds.recorded_sounds import draw_recorded, recordings_of
from training.datasets.translator import to_network_dtype
from training.loop.pool import make_missing
from training.synthesis.composition.composer import draw_music
from training.synthesis.composition.performed_score import played_notes
from training.synthesis.conventions import CLIP_S, CLIP_TICKS
from training.synthesis.force_law import MusicPart, notes_of_bands
from training.synthesis.recordings import kind_of, performer_of
from training.synthesis.sampled.played_note import PlayedNote
from training.synthesis.sampled.render import render_notes

TRAIN_SEED, TEST_SEED = 7_300_000, 9_900_000
"""Seeds of the first clip; from `TEST_SEED` on nothing is trained on."""
LAYOUT = 1
"""File format of the recordings; raised when its content changes."""
PLAYER_SHARE, RECORDED_SHARE, TWO_VOICES_SHARE = 0.3, 0.2, 0.35
"""Shares of the clips of performers and of recordings; of the other music, of two voices at a time."""
NOTE_NUMBERS = 6
"""Of a note: onset and length in seconds, pitch, velocity, number of its voice, number of its part."""
PERSON_MODES = ("sway", "bounce", "tilt", "nod", "arm_left", "arm_right")
PERSON_HZ = (1.35, 2.6, 1.9, 3.1, 2.3, 2.3)
PERSON_DAMPING = (0.28, 0.45, 0.32, 0.44, 0.34, 0.34)
"""As `streaming.scenes` gives a person's modes."""
LEAST_REACH = 0.004
"""A person's mode that moves less than this, in longer sides, is left out."""
WIDE_SHARE = 0.9
"""The reach of a performer's mode is this quantile of its displacement."""
_JOINTS = ("head", "neck", "pelvis", "left_shoulder", "right_shoulder", "left_hand", "right_hand")


@dataclass(frozen=True)
class DrivenClip:
    """One clip.

    Attributes:
        latent: float16 [T, D], audio latents.
        bands: float16 [T, 2, SOUND_BANDS].
        notes: float32 [N, NOTE_NUMBERS].
        modes: float32 [P, MODE_NUMBERS], a performer's modes; none for other clips.
        course: float32 [T, P], their true amplitudes.
    """

    latent: NDArray[np.float16]
    bands: NDArray[np.float16]
    notes: NDArray[np.float32]
    modes: NDArray[np.float32]
    course: NDArray[np.float32]

    def parts(self) -> list[MusicPart]:
        """Who plays what."""
        parts = []
        for number in np.unique(self.notes[:, 5]):
            rows = self.notes[self.notes[:, 5] == number]
            notes = [PlayedNote(*(float(x) for x in row[:4])) for row in rows]
            parts.append(MusicPart(KINDS[int(rows[0, 4])], notes))
        return parts

    def players_modes(self) -> tuple[SceneMode, ...]:
        """The modes of the performer."""
        return table_to_modes(self.modes)


class _ClipSound(NamedTuple):
    """A clip's sound float32 [n], who plays what (None for by its bands), and a performer's modes with their course."""

    sound: NDArray[np.float32]
    parts: list[MusicPart] | None
    modes: Sequence[SceneMode] = ()
    course: NDArray[np.float32] = np.zeros((CLIP_TICKS, 0), np.float32)


def bands_of(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """The bands of a sound's ticks: float32 [T * 1280] -> [T, 2, SOUND_BANDS]."""
    reader = SoundBands()
    return np.stack([reader.hear(pcm) for pcm in sound.reshape(-1, TICK_SAMPLES)])


def person_course(seed: int) -> tuple[list[SceneMode], NDArray[np.float32]]:
    """A synthetic performer's modes, and its movement in them since its first frame: float32 [T, M]."""
    performer = performer_of(seed, undisturbed=True)
    points = np.stack([performer.places(tick / TICKS_PER_SECOND, _JOINTS) for tick in range(CLIP_TICKS)])
    head, neck, pelvis, *limbs = np.moveaxis(points, 1, 0)
    shoulders = 0.5 * (limbs[0] + limbs[1])
    up = shoulders[0] - pelvis[0]
    length = float(np.hypot(*up)) + 1e-6
    up = up / length
    across = np.array([-up[1], up[0]])
    trunk, nod = shoulders - pelvis, head - neck
    moves = [trunk - trunk[0], trunk - trunk[0], nod - nod[0], nod - nod[0]]
    ways, places = [across, up, across, up], [shoulders[0], shoulders[0], head[0], head[0]]
    sizes = [length, length, 0.4 * length, 0.4 * length]
    for shoulder, hand in zip(limbs[:2], limbs[2:], strict=True):
        arm = hand - shoulder
        reach = float(np.hypot(*arm[0])) + 1e-6
        moves.append(arm - arm[0])
        ways.append(np.array([-arm[0, 1], arm[0, 0]]) / reach)
        places.append(hand[0])
        sizes.append(reach)
    modes, courses = [], []
    for number, name in enumerate(PERSON_MODES):
        course = moves[number] @ ways[number]
        wide = float(np.quantile(np.abs(course), WIDE_SHARE))
        if wide < LEAST_REACH:
            continue
        place, way = places[number] - 0.5, ways[number]
        modes.append(
            SceneMode(
                1,
                name,
                PERSON_HZ[number],
                PERSON_DAMPING[number],
                wide,
                (float(place[0]), float(place[1])),
                (float(way[0]), float(way[1])),
                sizes[number],
            )
        )
        courses.append(np.clip(course / wide, -1.5, 1.5))
    return modes, np.stack(courses, 1).astype(np.float32) if courses else np.zeros((CLIP_TICKS, 0), np.float32)


def _record(seed: int, corpus: Path | None, soundfont: Path | None) -> _ClipSound:
    """The recording of a seed."""
    rng = np.random.default_rng([seed, 511])
    split, kind = "test" if seed >= TEST_SEED else "train", rng.random()
    if kind < PLAYER_SHARE:
        score = performer_of(seed).score
        voice = kind_of(seed) if rng.random() < 0.7 else str(rng.choice(KINDS))
        notes = played_notes(score, voice, corpus)
        modes, course = person_course(seed)
        return _ClipSound(_render(notes, voice, seed, soundfont), [MusicPart(voice, notes)], modes, course)
    if kind < PLAYER_SHARE + RECORDED_SHARE and corpus is not None and recordings_of(corpus, split):
        return _ClipSound(draw_recorded(recordings_of(corpus, split), CLIP_S, rng).astype(np.float32), None)
    parts, sound = [], np.zeros(CLIP_TICKS * TICK_SAMPLES, np.float32)
    for number in range(2 if rng.random() < TWO_VOICES_SHARE else 1):
        voice = str(rng.choice(KINDS))
        notes = draw_music(voice, CLIP_S, seed + 400_000 * number, corpus, split)
        parts.append(MusicPart(voice, notes))
        sound += _render(notes, voice, seed + 400_000 * number, soundfont) * float(rng.uniform(0.5, 1.0))
    return _ClipSound(sound, parts)


def _render(notes: Sequence[PlayedNote], voice: str, seed: int, soundfont: Path | None) -> NDArray[np.float32]:
    sound = render_notes(notes, voice, CLIP_S, seed, soundfont, detached=seed % 2 == 0)
    return sound[: CLIP_TICKS * TICK_SAMPLES]


@cache
def _networks(bundle: Path) -> tuple[TokenCodec | Vocoder, Latent]:
    torch.set_num_threads(1)
    latent = load_network(bundle, "latent")
    if not isinstance(latent, Latent):
        raise TypeError("the bundle's latent space is of another class")
    return load_sound_network(bundle), latent


@torch.inference_mode()
def audio_latents(sound: NDArray[np.float32], bundle: Path) -> NDArray[np.float32]:
    """A sound's audio latents: float32 [T * 1280] -> [T, D]."""
    codec, latent = _networks(bundle)
    frames = codec.encode(torch.from_numpy(sound)[None, None])[0]
    codes = frames.unflatten(1, (-1, TOKEN_FRAMES_PER_TICK)).transpose(0, 1)[None]
    return np.asarray(latent.audio(latent.sound_of(to_network_dtype(codes)))[0].float().numpy())


def hear_clip(seed: int, bundle: Path, corpus: Path | None, soundfont: Path | None) -> DrivenClip:
    """A clip from its seed; see `load_clips`."""
    recording = _record(seed, corpus, soundfont)
    rng = np.random.default_rng([seed, 512])
    peak = float(np.abs(recording.sound).max())
    sound = recording.sound * np.float32(10.0 ** (rng.uniform(-18.0, -1.0) / 20.0) / max(peak, 0.02))
    if rng.random() < 0.3:
        sound = sound + np.float32(10.0 ** rng.uniform(-4.0, -2.7)) * rng.standard_normal(sound.size, np.float32)
    sound = np.ascontiguousarray(sound, np.float32)
    bands = bands_of(sound)
    parts = recording.parts if recording.parts is not None else [MusicPart("keys", notes_of_bands(bands))]
    notes = [(*note, KINDS.index(voice), number) for number, (voice, own) in enumerate(parts) for note in own]
    return DrivenClip(
        audio_latents(sound, bundle).astype(np.float16),
        bands.astype(np.float16),
        np.asarray(notes, np.float32).reshape(-1, NOTE_NUMBERS),
        modes_to_table(recording.modes),
        recording.course,
    )


def _write_clip(path: Path, bundle: Path, corpus: Path | None, soundfont: Path | None) -> Path:
    clip = hear_clip(int(path.stem.split("-")[1]), bundle, corpus, soundfont)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **vars(clip))
    part.replace(path)
    return path


def load_clips(
    folder: Path,
    clips: int,
    bundle: Path,
    *,
    corpus: Path | None = None,
    soundfont: Path | None = None,
    test: bool = False,
    workers: int = 2,
) -> list[DrivenClip]:
    """Record what is missing, and read all clips.

    Args:
        folder: of the data set.
        clips: how many clips of 8 s.
        bundle: the bundle whose codec and latent space hear them.
        corpus: recordings and real scores; None for generated scores and no recordings.
        soundfont: what plays them; None for the one that Debian installs.
        test: clips that are never trained on.
        workers: processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = TEST_SEED if test else TRAIN_SEED
    heard_by = (identity(network_entry(bundle, weights_of(bundle, name)))[:8] for name in ("encoder", "hearing"))
    made_by = "-".join(heard_by)
    paths = [folder / f"driven-{seed}-{made_by}-v{LAYOUT}.npz" for seed in range(start, start + clips)]
    make_missing(paths, partial(_write_clip, bundle=bundle, corpus=corpus, soundfont=soundfont), workers, "clips")
    loaded = []
    for path in paths:
        with np.load(path) as file:
            loaded.append(DrivenClip(**{name: file[name] for name in DrivenClip.__annotations__}))
    return loaded


class SpringConstants(NamedTuple):
    """The exact step of a damped spring over a tick, each [..., M], and its angular frequency."""

    x_of_x: Tensor
    x_of_v: Tensor
    v_of_x: Tensor
    v_of_v: Tensor
    omega: Tensor


def spring_constants(hz: Tensor, damping: Tensor) -> SpringConstants:
    """Of springs with frequencies in Hz and dampings as shares of the critical one."""
    step, omega = 1.0 / TICKS_PER_SECOND, 2.0 * math.pi * hz
    swing = omega * (1.0 - damping * damping).sqrt()
    left, cos, sin = torch.exp(-damping * omega * step), torch.cos(swing * step), torch.sin(swing * step)
    ratio = damping * omega / swing
    return SpringConstants(
        left * (cos + ratio * sin),
        left * sin / swing,
        -left * omega**2 / swing * sin,
        left * (cos - ratio * sin),
        omega,
    )


BOW_STEEPNESS = 4.0
"""How soon a bow takes hold of a mode that hardly moves; as in `streaming.scenes.springs`."""


def swing(push: Tensor, kick: Tensor, bow: Tensor, springs: SpringConstants) -> tuple[Tensor, Tensor]:
    """Amplitudes and velocities (per radian of the frequency) of springs under forces, all [B, T, M]."""
    x = v = torch.zeros_like(push[:, 0])
    places, speeds = [], []
    for tick in range(push.shape[1]):
        f = push[:, tick]
        v = v + springs.omega * (kick[:, tick] + bow[:, tick] * torch.tanh(BOW_STEEPNESS * v / springs.omega))
        x, v = (
            springs.x_of_x * (x - f) + springs.x_of_v * v + f,
            springs.v_of_x * (x - f) + springs.v_of_v * v,
        )
        places.append(x)
        speeds.append(v / springs.omega)
    return torch.stack(places, 1), torch.stack(speeds, 1)

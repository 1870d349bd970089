"""The translator's data set: what is seen of performances, and the codes of their sound.

What a bundle's codec and visual network make of a clip is kept beside the recording, under a name with their hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from engines.bundles import identity, network_entry, weights_of
from engines.contract import Engine
from engines.registry import open_engine
from models.codec.codec import TokenCodec
from models.codec.mel import Vocoder
from models.codec.partial_analysis import mel_bank
from performers.kinds import KINDS, MELODIC
from streaming.conventions import SAMPLE_RATE, TICKS_PER_SECOND, TOKEN_FRAME_SAMPLES, TOKEN_FRAMES_PER_TICK
from training.bundling import load_sound_network
from training.datasets.codec import SoundSources
from training.loop.pool import open_executor
from training.measures.onsets import detect_onsets
from training.measures.pitch import pitch_track
from training.synthesis.conventions import CLIP_KINDS, CLIP_TICKS
from training.synthesis.recordings import embed, kind_of, record_dataset, sound_of

MEL_BANDS = 24
LAYOUT = 5
"""File format of the prepared clips; raised when its content changes."""
VOICES = CLIP_KINDS
"""Voices that a translator can be asked for, from voice 1 on; voice 0 is the performer's own."""


@dataclass
class Examples:
    """Clips as tensors, one row each.

    Attributes:
        flow: float16 [N, T, 2, 16, 16]; speed: float16 [N, T, 16, 16]; embedding: float16 [N, T, 128].
        age: float32 [N, T], age of the newest frame at its tick, in seconds.
        codes: the sound's frames, as it was played and in up to two other voices: tokens int16 [N, 3, T, K, 2], or
            log-mel float16 [N, 3, T, D, 2].
        voice: int64 [N, 3], the voices, counted from 1 in the order of `VOICES`; 0 for none.
        mel: float16 [N, T, 2 * bands], log10 mel magnitude of each token frame.
        attack: bool [N, T, 2], whether the token frame has an onset.
        pitch: float16 [N, T, 2], MIDI pitch of the token frame, 0 for none.
        features: float16 [N, T, 26], motion features; see `streaming.vision.motion.feature_names.NAMES`.
    """

    flow: Tensor
    speed: Tensor
    embedding: Tensor
    age: Tensor
    codes: Tensor
    voice: Tensor
    mel: Tensor
    attack: Tensor
    pitch: Tensor
    features: Tensor

    def rows(self, which: slice) -> Examples:
        """Some of the clips."""
        return Examples(*(getattr(self, field.name)[which] for field in fields(self)))


def mel_frames(sound: Tensor, bands: int) -> Tensor:
    """log10 mel magnitude of each token frame: sound [640 F] -> [F, bands], about -2 (silent) to 2."""
    hop = TOKEN_FRAME_SAMPLES
    frames = sound.unfold(0, hop, hop) * torch.hann_window(hop)
    magnitude = torch.fft.rfft(frames, 1024).abs()
    mel: Tensor = (magnitude @ mel_bank(1024, bands, SAMPLE_RATE).T).clamp_min(1e-2).log10()
    return mel


def attack_frames(sound: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which token frames have an onset: sound [T * 1280] -> bool [T, 2]."""
    attack = np.zeros(CLIP_TICKS * TOKEN_FRAMES_PER_TICK, bool)
    places = (detect_onsets(sound) * TICKS_PER_SECOND * TOKEN_FRAMES_PER_TICK).astype(int)
    attack[places[places < attack.size]] = True
    return attack.reshape(CLIP_TICKS, TOKEN_FRAMES_PER_TICK)


@cache
def _networks(bundle: Path) -> tuple[TokenCodec | Vocoder, Engine]:
    """The codec, and the visual network in ONNX Runtime where it has fp32 (twice as fast as torch)."""
    seeing = open_engine("embedding", bundle=str(bundle))
    if seeing.spec.precision != "fp32":
        seeing = open_engine("embedding", bundle=str(bundle), backend="torch")
    return load_sound_network(bundle), seeing


def to_network_dtype(frames: Tensor) -> Tensor:
    """Stored frames, int16 or float16 -> as networks take them, int64 or float32."""
    return frames.float() if frames.is_floating_point() else frames.long()


def prepared_file(path: Path, bundle: Path, sources: SoundSources | None = None) -> Path:
    """Where the embeddings and codes of a recorded clip are kept: another file for other networks and other sounds."""
    networks = (weights_of(bundle, "encoder"), "embedding")
    # A codec whose decoder alone was trained further hears the same.
    made_by = "".join(identity(network_entry(bundle, network)) for network in networks)
    made_by += str(LAYOUT)
    if sources is not None and sources.soundfont is not None:
        made_by += f"{sources.soundfont.name} {sources.corpus is not None} detached"
    return path.with_name(f"{path.stem}-{hashlib.sha256(made_by.encode()).hexdigest()[:8]}.npz")


def other_voices(seed: int, sampled: bool) -> list[str]:
    """In which other voices a clip is played too; sampled instruments play everything, synthesized ones melodies."""
    own = kind_of(seed)
    if sampled:
        others = [kind for kind in KINDS if kind != own]
        return [others[int(np.random.default_rng([seed, 42]).integers(len(others)))]]
    return [kind for kind in MELODIC if kind != own] if own in MELODIC else []


def _sound_of(seed: int, voice: str, sources: SoundSources | None) -> NDArray[np.float32]:
    if sources is None or sources.soundfont is None:
        return sound_of(seed, voice)
    return sound_of(seed, voice, teacher="sampled", soundfont=sources.soundfont, corpus=sources.corpus)


@torch.inference_mode()
def _prepare(path: Path, bundle: Path, sources: SoundSources | None = None) -> Path:
    """Embed the views and encode the sound of a recorded clip; returns the file, made or found."""
    target = prepared_file(path, bundle, sources)
    if target.exists():
        return target
    torch.set_num_threads(1)
    sounding, seeing = _networks(bundle)
    with np.load(path) as file:
        data = {name: file[name] for name in file.files}
    seed = int(data["seed"])
    own = kind_of(seed)
    others = other_voices(seed, sources is not None and sources.soundfont is not None)
    sound = _sound_of(seed, own, sources)
    audio = torch.from_numpy(sound)
    codes: NDArray[Any] = np.zeros((3, 0))
    voice = np.zeros(3, np.int64)
    for place, kind in enumerate([own, *others]):
        take = audio if not place else torch.from_numpy(_sound_of(seed, kind, sources))
        frames = sounding.encode(take[None, None])[0].unflatten(1, (-1, TOKEN_FRAMES_PER_TICK)).transpose(0, 1).numpy()
        if not place:
            codes = np.zeros((3, *frames.shape), np.float16 if frames.dtype.kind == "f" else np.int16)
        codes[place] = frames
        voice[place] = 1 + VOICES.index(kind)
    part = target.with_suffix(".part")
    with part.open("wb") as out:
        np.savez(
            out,
            allow_pickle=False,
            flow=data["flow"],
            speed=data["speed"],
            embedding=embed(data, seeing),
            age=data["age_s"],
            codes=codes,
            voice=voice,
            mel=mel_frames(audio, MEL_BANDS)
            .unflatten(0, (-1, TOKEN_FRAMES_PER_TICK))
            .flatten(1)
            .numpy()
            .astype(np.float16),
            attack=attack_frames(sound),
            pitch=np.nan_to_num(pitch_track(sound)).reshape(CLIP_TICKS, TOKEN_FRAMES_PER_TICK).astype(np.float16),
            features=data["features"],
        )
    part.replace(target)
    return target


def _prepare_all(paths: list[Path], bundle: Path, workers: int, sources: SoundSources | None) -> Iterator[Path]:
    job = partial(_prepare, bundle=bundle, sources=sources)
    with open_executor(workers) as pool:
        yield from tqdm(pool.map(job, paths), total=len(paths), desc="prepared", mininterval=5)


def load_examples(
    folder: Path, clips: int, bundle: Path, workers: int = 2, sources: SoundSources | None = None
) -> Examples:
    """Record and prepare what is missing, and stack all clips.

    Args:
        folder: of the recordings.
        clips: how many.
        bundle: whose codec and visual network prepare them.
        workers: processes.
        sources: with a soundfont, its instruments play what the performers play; None for synthesized ones.
    """
    names = [field.name for field in fields(Examples)]
    columns: dict[str, list[NDArray[np.generic]]] = {name: [] for name in names}
    for path in _prepare_all(record_dataset(folder, clips, workers), bundle, workers, sources):
        with np.load(path) as file:
            for name in names:
                columns[name].append(file[name])
    return Examples(*(torch.from_numpy(np.stack(columns[name])) for name in names))

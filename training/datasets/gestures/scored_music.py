"""Music and the gestures that ask for it: what the translator learns to play where no picture is known.

A gesture says when something strikes, how hard, and how much moves; what answers is a composer's choice. So no picture
is needed to learn it: the strikes of a score are known, and what a camera would make of them is drawn anew in every
batch, with what live gestures suffer: lost and false strikes, late ones, a level that is the motion's and not the
sound's. `python -m training.datasets.gestures.scored_music FOLDER --clips N` records the music.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.bundles import find_bundle, identity, network_entry, weights_of
from engines.contract import EngineError
from models.codec.codec import TokenCodec
from models.codec.mel import Vocoder
from performers.hits.performer import HitsPerformer
from performers.kinds import PITCH_RANGE
from streaming.conventions import TICK_SAMPLES, TICKS_PER_SECOND, TOKEN_FRAMES_PER_TICK
from training.bundling import load_sound_network
from training.loop.pool import make_missing
from training.synthesis.composition.composer import compose_strikes, draw_music
from training.synthesis.conventions import CLIP_KINDS, CLIP_S, CLIP_TICKS
from training.synthesis.hits_corpus import load_corpus, material_of
from training.synthesis.sampled.played_note import PlayedNote
from training.synthesis.sampled.render import render_notes
from training.synthesis.sampled.soundfont import DEFAULT_SOUNDFONT, SoundfontError, open_soundfont

TRAIN_SEED, TEST_SEED = 5_100_000, 9_800_000
"""Seeds of the first clip; from `TEST_SEED` on nothing is trained on."""
LAYOUT = 3
"""Version of the music and of the file format; older files are not used."""
COMPOSED_SHARE = 0.6
"""Share of the clips that answer strikes as hands and sticks make them; the others are music of its own."""
CHORD_S = 0.025
"""Notes closer than this are one strike."""
SILENT_DB = -60.0


@dataclass
class ScoredMusic:
    """Clips as tensors, one row each; T ticks.

    Attributes:
        seed: int64 [N].
        codes: the sound's frames: tokens int16 [N, T, K, 2], or log-mel float16 [N, T, D, 2].
        voice: int64 [N], counted from 1 in the order of `CLIP_KINDS`.
        strikes: float32 [N, T, 2], velocity of the strike in each token frame, 0 for none.
        level_db: float32 [N, T], RMS of each tick in dB below full scale, -60 at least.
        pitch: float32 [N, T], mean MIDI pitch of what sounds, 0 for nothing.
    """

    seed: Tensor
    codes: Tensor
    voice: Tensor
    strikes: Tensor
    level_db: Tensor
    pitch: Tensor

    def rows(self, which: slice) -> ScoredMusic:
        """Some of the clips."""
        return ScoredMusic(*(getattr(self, field.name)[which] for field in fields(self)))


def voice_of(seed: int) -> str:
    """The voice of a clip."""
    return CLIP_KINDS[seed % len(CLIP_KINDS)]


def notes_of(seed: int, corpus: Path | None) -> list[PlayedNote]:
    """What a clip plays: an answer to strikes, or music of its own."""
    split = "test" if seed >= TEST_SEED else "train"
    voice = voice_of(seed)
    if np.random.default_rng([seed, 41]).random() >= COMPOSED_SHARE:
        return draw_music(voice, CLIP_S, seed, corpus, split)
    truth = HitsPerformer(seed, CLIP_S, material_of(load_corpus(corpus, split), seed, CLIP_S)).truth
    return compose_strikes(truth.contact_s, truth.strength, voice, seed, corpus, split)


def strikes_of(notes: list[PlayedNote]) -> NDArray[np.float32]:
    """Velocity of the strike in each token frame: float32 [T, 2]; notes of a chord are one strike."""
    frames = np.zeros(CLIP_TICKS * TOKEN_FRAMES_PER_TICK, np.float32)
    last = -1.0
    for note in sorted(notes):
        place = int(note.onset_s * TICKS_PER_SECOND * TOKEN_FRAMES_PER_TICK)
        if not 0 <= place < frames.size:
            continue
        if note.onset_s - last >= CHORD_S:
            last = note.onset_s
            frames[place] = max(frames[place], note.velocity)
    return frames.reshape(CLIP_TICKS, TOKEN_FRAMES_PER_TICK)


def pitch_of(notes: list[PlayedNote], voice: str) -> NDArray[np.float32]:
    """Mean MIDI pitch of the notes that are held at each tick: float32 [T], 0 for none and for unpitched voices."""
    total, count = np.zeros(CLIP_TICKS), np.zeros(CLIP_TICKS)
    if voice in PITCH_RANGE and voice != "dance":
        for note in notes:
            first = int(note.onset_s * TICKS_PER_SECOND)
            last = int((note.onset_s + note.duration_s) * TICKS_PER_SECOND) + 1
            total[first:last] += note.pitch
            count[first:last] += 1
    return np.asarray(total / np.maximum(count, 1), np.float32)


def level_of(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """RMS of each tick in dB: float32 [T]."""
    power = np.mean(sound.reshape(CLIP_TICKS, TICK_SAMPLES) ** 2, axis=1)
    return np.asarray(np.maximum(10.0 * np.log10(power + 1e-12), SILENT_DB), np.float32)


@cache
def _sound_network(bundle: Path) -> TokenCodec | Vocoder:
    torch.set_num_threads(1)
    return load_sound_network(bundle)


@torch.inference_mode()
def _record(path: Path, bundle: Path, corpus: Path | None, soundfont: Path | None) -> Path:
    seed = int(path.stem.split("-")[1])
    voice, notes = voice_of(seed), notes_of(seed, corpus)
    sound = render_notes(notes, voice, CLIP_S, seed, soundfont, detached=True)
    frames = _sound_network(bundle).encode(torch.from_numpy(sound)[None, None])[0]
    codes = frames.unflatten(1, (-1, TOKEN_FRAMES_PER_TICK)).transpose(0, 1).numpy()
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            seed=np.array(seed),
            codes=codes.astype(np.float16 if codes.dtype.kind == "f" else np.int16),
            voice=np.array(1 + CLIP_KINDS.index(voice)),
            strikes=strikes_of(notes),
            level_db=level_of(sound),
            pitch=pitch_of(notes, voice),
        )
    part.replace(path)
    return path


def load_music(
    folder: Path,
    clips: int,
    bundle: Path,
    *,
    corpus: Path | None = None,
    soundfont: Path | None = None,
    test: bool = False,
    workers: int = 2,
) -> ScoredMusic:
    """Record what is missing, and stack all clips.

    Args:
        folder: of the data set.
        clips: how many clips of 8 s.
        bundle: the bundle whose codec encodes them.
        corpus: real scores; None for generated ones.
        soundfont: what plays them; None for the one that Debian installs.
        test: clips that are never trained on.
        workers: processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made_by = identity(network_entry(bundle, weights_of(bundle, "encoder")))[:8]
    start = TEST_SEED if test else TRAIN_SEED
    paths = [folder / f"music-{seed}-{made_by}-v{LAYOUT}.npz" for seed in range(start, start + clips)]
    make_missing(paths, partial(_record, bundle=bundle, corpus=corpus, soundfont=soundfont), workers, "music")
    columns: dict[str, list[NDArray[Any]]] = {field.name: [] for field in fields(ScoredMusic)}
    for path in paths:
        with np.load(path) as file:
            for name, rows in columns.items():
                rows.append(file[name])
    return ScoredMusic(**{name: torch.from_numpy(np.stack(rows)) for name, rows in columns.items()})


def main(arguments: list[str] | None = None) -> int:
    """Record the data set from the command line."""
    parser = argparse.ArgumentParser(description="Record music and the strikes that ask for it.")
    parser.add_argument("folder", type=Path, help="of the data set")
    parser.add_argument("--clips", type=int, default=1000, help="how many clips of 8 s (default 1000)")
    parser.add_argument("--bundle", default="default", help="whose codec encodes them")
    parser.add_argument("--corpus", type=Path, help="folder with real scores; without it they are generated")
    parser.add_argument("--soundfont", type=Path, help="General MIDI soundfont; Debian's by default")
    parser.add_argument("--test", action="store_true", help="clips that are never trained on")
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    options = parser.parse_args(arguments)
    try:
        open_soundfont(options.soundfont or DEFAULT_SOUNDFONT)
        bundle = find_bundle(options.bundle)
    except (SoundfontError, EngineError) as error:
        print(error, file=sys.stderr)
        return 2
    music = load_music(
        options.folder,
        options.clips,
        bundle,
        corpus=options.corpus,
        soundfont=options.soundfont,
        test=options.test,
        workers=options.workers,
    )
    counts = {kind: int((music.voice == 1 + number).sum()) for number, kind in enumerate(CLIP_KINDS)}
    print(f"{len(music.seed)} clips in {options.folder}: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

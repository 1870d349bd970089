"""How loud each voice plays, whoever is seen: `python -m training.evaluation.voice_levels [--bundle B] [--clips N]`.

Held-out performers of every kind are answered in every voice by the live engines. Loudness is integrated and gated as
ITU-R BS.1770 says, so that rests do not count; the true peak is that of four times oversampled sound.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineError
from engines.registry import open_engine
from training.evaluation.forward_loop import ResponseSettings, respond
from training.synthesis.conventions import CLIP_KINDS
from training.synthesis.recordings import TEST_SEED, Clip, kind_of, watch
from training.synthesis.sampled.calibration import loudness_lufs
from training.synthesis.sampled.room import true_peak

WANTED_LUFS, WITHIN_DB = -18.0, 3.0
"""Every voice should be this loud while it plays, to within so much."""
Answer = Callable[[Clip, str], NDArray[np.float32]]


def measure_levels(clips: list[Clip], answer: Answer) -> dict[str, dict[str, tuple[float, float]]]:
    """Loudness in LUFS and true peak in dBFS: kind of player -> voice -> both.

    Args:
        clips: of players; those of one kind are measured together.
        answer: makes the music of a clip in a voice.
    """
    kinds = sorted({clip.kind for clip in clips}, key=CLIP_KINDS.index)
    table: dict[str, dict[str, tuple[float, float]]] = {kind: {} for kind in kinds}
    for kind in kinds:
        for voice in CLIP_KINDS:
            music = np.concatenate([answer(clip, voice) for clip in clips if clip.kind == kind])
            peak_db = 20.0 * float(np.log10(true_peak(music) + 1e-9))
            table[kind][voice] = (loudness_lufs(music), peak_db)
    return table


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Loudness of each voice for each kind of player.")
    parser.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    parser.add_argument("--clips", type=int, default=2, help="players of each kind, 8 s each (default 2)")
    options = parser.parse_args(arguments)
    try:
        embedding = open_engine("embedding", bundle=options.bundle)
        seeds = range(TEST_SEED, TEST_SEED + len(CLIP_KINDS) * options.clips)
        clips = [watch(seed, embedding, steady=True) for seed in sorted(seeds, key=kind_of)]

        def answer(clip: Clip, voice: str) -> NDArray[np.float32]:
            return respond(clip, ResponseSettings(options.bundle, voice=voice), clip.seed)

        table = measure_levels(clips, answer)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{'player':8} " + " ".join(f"{voice:>14}" for voice in CLIP_KINDS) + "   LUFS, true peak dBFS")
    for kind, row in table.items():
        print(f"{kind:8} " + " ".join(f"{lufs:7.1f} {peak:6.1f}" for lufs, peak in row.values()))
    off = [lufs for row in table.values() for lufs, _ in row.values() if abs(lufs - WANTED_LUFS) > WITHIN_DB]
    print(
        f"{len(off)} of {sum(map(len, table.values()))} pairs are not within {WITHIN_DB:g} dB of {WANTED_LUFS:g} LUFS"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How loud each voice plays, whoever is seen: `python -m training.evaluation.voice_levels [--bundle B] [--clips N]`.

Held-out performers of every kind are answered in every voice by the live engines, and once more as players of no known
kind. Loudness is integrated and gated as ITU-R BS.1770 says, so that rests do not count; the true peak is that of four
times oversampled sound. With `--write FOLDER` the corrections that are still needed are added to a bundle's manifest,
see `streaming.audio.voice_levels`; `--seeds other` measures with performers that no correction was made from.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineError
from engines.registry import open_engine
from streaming.audio.voice_levels import MOST_DB
from training.evaluation.forward_loop import ResponseSettings, respond
from training.synthesis.conventions import CLIP_KINDS
from training.synthesis.recordings import TEST_SEED, Clip, kind_of, watch
from training.synthesis.sampled.calibration import loudness_lufs
from training.synthesis.sampled.room import true_peak

WANTED_LUFS, WITHIN_DB = -18.0, 3.0
"""Every voice should be this loud while it plays, to within so much."""
Answer = Callable[[Clip, str, bool], NDArray[np.float32]]
"""Makes the music of a clip in a voice, by gestures or not."""
COLUMNS = ("auto", *CLIP_KINDS)
UNKNOWN = "none"
OTHER_SEEDS = 1_000
"""How much higher the seeds of the other performers are."""


def measure_levels(clips: list[Clip], answer: Answer) -> dict[str, dict[str, tuple[float, float]]]:
    """Loudness in LUFS and true peak in dBFS: kind of player, or "none" for all by gestures -> voice -> both.

    Args:
        clips: of players; those of one kind are measured together.
        answer: makes the music of a clip in a voice.
    """
    kinds = sorted({clip.kind for clip in clips}, key=CLIP_KINDS.index)
    table: dict[str, dict[str, tuple[float, float]]] = {kind: {} for kind in (*kinds, UNKNOWN)}
    for kind, row in table.items():
        for voice in COLUMNS:
            parts = [answer(clip, voice, kind == UNKNOWN) for clip in clips if kind in (clip.kind, UNKNOWN)]
            music = np.concatenate(parts)
            row[voice] = (loudness_lufs(music), 20.0 * float(np.log10(true_peak(music) + 1e-9)))
    return table


def corrections(
    table: dict[str, dict[str, tuple[float, float]]], voice_names: Sequence[str], before: Sequence[float]
) -> list[float]:
    """The `level_db` that brings what was measured to `WANTED_LUFS`; pairs that were not measured stay as before.

    Args:
        table: see `measure_levels`.
        voice_names: the translator's.
        before: its `level_db` at the measurement; empty for none.
    """
    columns, rows = ("auto", *voice_names), (*voice_names, UNKNOWN)
    old = np.reshape(before, (len(rows), len(columns))) if len(before) else np.zeros((len(rows), len(columns)))
    new = old.copy()
    for place, kind in enumerate(rows):
        for column, voice in enumerate(columns):
            lufs = table.get(kind, {}).get(voice, (WANTED_LUFS, 0.0))[0]
            new[place, column] = np.clip(old[place, column] + WANTED_LUFS - lufs, -MOST_DB, MOST_DB)
    return [round(float(value), 1) for value in new.ravel()]


def write_corrections(folder: Path, table: dict[str, dict[str, tuple[float, float]]]) -> None:
    """Add the corrections that are needed to the manifest of a bundle in a folder."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    config = manifest["networks"]["translator"]["config"]
    config["level_db"] = corrections(table, config["voice_names"], config.get("level_db", ()))
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def print_levels(table: dict[str, dict[str, tuple[float, float]]]) -> None:
    """Print the table, and how many pairs are too loud or too soft."""
    print(f"{'player':8} " + " ".join(f"{voice:>14}" for voice in COLUMNS) + "   LUFS, true peak dBFS")
    for kind, row in table.items():
        print(f"{kind:8} " + " ".join(f"{lufs:7.1f} {peak:6.1f}" for lufs, peak in row.values()))
    off = [lufs for row in table.values() for lufs, _ in row.values() if abs(lufs - WANTED_LUFS) > WITHIN_DB]
    total = sum(map(len, table.values()))
    print(f"{len(off)} of {total} pairs are not within {WITHIN_DB:g} dB of {WANTED_LUFS:g} LUFS")


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Loudness of each voice for each kind of player.")
    parser.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    parser.add_argument("--clips", type=int, default=2, help="players of each kind, 8 s each (default 2)")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="bundle whose manifest gets the corrections")
    parser.add_argument("--seeds", choices=("usual", "other"), default="usual", help="which performers")
    options = parser.parse_args(arguments)
    first = TEST_SEED + (OTHER_SEEDS if options.seeds == "other" else 0)
    try:
        embedding = open_engine("embedding", bundle=options.bundle)
        seeds = range(first, first + len(CLIP_KINDS) * options.clips)
        clips = [watch(seed, embedding, steady=True) for seed in sorted(seeds, key=kind_of)]

        def answer(clip: Clip, voice: str, by_gestures: bool) -> NDArray[np.float32]:
            return respond(clip, ResponseSettings(options.bundle, voice=voice, by_gestures=by_gestures), clip.seed)

        table = measure_levels(clips, answer)
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2
    print_levels(table)
    if options.write is not None:
        write_corrections(options.write, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())

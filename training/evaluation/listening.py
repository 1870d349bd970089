"""A page to listen to: what a performer plays, before and after sampled instruments, and what bundles answer.

`python -m training.evaluation.listening FOLDER --bundles default spectrogram` writes `listening.md` and a folder
`listening` with an MP3 file and a spectrogram for each sound. The performers are held out; nothing is chosen: the first
held-out clip of each kind is taken.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engines.bundles import find_bundle
from engines.contract import EngineError
from performers.kinds import KINDS
from streaming.conventions import SAMPLE_RATE
from training.evaluation.codec import through_codec
from training.evaluation.forward_loop import ResponseSettings, respond_to_performer
from training.evaluation.html_page import draw_spectrogram
from training.synthesis.recordings import TEST_SEED, kind_of, sound_of
from training.synthesis.sampled.soundfont import SoundfontError

SECONDS = 6.0
MP3_BITS = 64_000
Sound = NDArray[np.float32]


def write_mp3(path: Path, sound: Sound) -> None:
    """Write a mono sound, float32 [n] at 32 kHz."""
    packed = (np.clip(sound, -1.0, 1.0) * 32767).astype(np.int16)
    with av.open(str(path), "w", format="mp3") as container:
        stream: Any = container.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = MP3_BITS
        for first in range(0, packed.size, 1_152):
            frame = av.AudioFrame.from_ndarray(packed[None, first : first + 1_152], format="s16p", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, first, Fraction(1, SAMPLE_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_spectrogram(path: Path, sound: Sound) -> None:
    """Write a small picture of a sound's spectrogram."""
    figure = Figure(figsize=(3.2, 1.1), dpi=90)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    draw_spectrogram(axes, sound)
    axes.set_axis_off()
    figure.savefig(path, pil_kwargs={"quality": 80})


def sounds_of(seed: int, bundles: Sequence[str], soundfont: Path | None = None) -> dict[str, Sound]:
    """What there is to hear of one held-out performer: what it is -> float32 [n].

    Args:
        seed: of the performer.
        bundles: names or folders; the first one's codec is heard too.
        soundfont: of the sampled teacher; None for the one that Debian installs.
    """
    sampled = sound_of(seed, teacher="sampled", soundfont=soundfont)
    found = {
        "played, synthesized instruments (before)": sound_of(seed),
        "played, sampled instruments (after)": sampled,
        f"the same through the codec of `{Path(bundles[0]).name}`": through_codec(sampled, bundles[0]),
    }
    for bundle in bundles:
        answer = respond_to_performer(seed, ResponseSettings(bundle)).music
        found[f"the answer of `{Path(bundle).name}` to the silent picture"] = answer
    return {name: np.asarray(sound[: round(SECONDS * SAMPLE_RATE)], np.float32) for name, sound in found.items()}


def first_seeds() -> dict[str, int]:
    """The first held-out clip of each kind."""
    found: dict[str, int] = {}
    seed = TEST_SEED
    while len(found) < len(KINDS):
        found.setdefault(kind_of(seed), seed)
        seed += 1
    return {kind: found[kind] for kind in KINDS}


def write_page(folder: Path, sounds: Mapping[str, Mapping[str, Sound]], command: str) -> Path:
    """Write the page, the sounds and their spectrograms.

    Args:
        folder: of the page.
        sounds: kind -> what it is -> the sound.
        command: what makes the page.

    Returns:
        The page.
    """
    files = folder / "listening"
    files.mkdir(parents=True, exist_ok=True)
    lines = [
        "# Listening",
        "",
        "The first held-out synthetic performer of each kind, chosen by nobody: what it plays, and what the bundles",
        "answer to its picture without hearing it. The vertical axis of the pictures is pitch (mel), the",
        f"horizontal one time, {SECONDS:g} s. The page is made by a command:",
        "",
        "```",
        command,
        "```",
    ]
    for kind, rows in sounds.items():
        lines += ["", f"## {kind.capitalize()}", "", "| what | spectrogram | sound |", "|---|---|---|"]
        for number, (what, sound) in enumerate(rows.items()):
            name = f"{kind}-{number}"
            write_mp3(files / f"{name}.mp3", sound)
            write_spectrogram(files / f"{name}.jpg", sound)
            player = f'<audio controls preload="none" src="listening/{name}.mp3"></audio>'
            lines.append(f"| {what} | ![{kind}: {what.replace('`', '')}](listening/{name}.jpg) | {player} |")
    page = folder / "listening.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def main(arguments: list[str] | None = None) -> int:
    """Write the page from the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.listening", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the page")
    parser.add_argument("--bundles", nargs="+", default=["default"], help="names or folders (default: default)")
    parser.add_argument("--soundfont", type=Path, help="General MIDI soundfont; Debian's by default")
    options = parser.parse_args(arguments)
    command = "python -m training.evaluation.listening docs --bundles " + " ".join(
        Path(bundle).name for bundle in options.bundles
    )
    try:
        for bundle in options.bundles:
            find_bundle(bundle)
        sounds = {kind: sounds_of(seed, options.bundles, options.soundfont) for kind, seed in first_seeds().items()}
    except (EngineError, SoundfontError) as error:
        print(error, file=sys.stderr)
        return 2
    print(write_page(options.folder, sounds, command))
    return 0


if __name__ == "__main__":
    sys.exit(main())

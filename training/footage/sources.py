"""Which files make up a data set: a plain folder of videos, or the folder layout of URMP.

URMP (Li, Liu, Dinesh, Duan, Sharma 2018, "Creating a multitrack classical music performance dataset") has one folder
per piece, `NN_Title_instruments/`, with `Vid_*.mp4`, the mixed sound `AuMix_*.wav` and one track per player
`AuSep_*.wav`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".m2ts", ".mts", ".ts", ".flv", ".wmv"),
    *(".ogv", ".3gp", ".mxf", ".dv", ".vob", ".y4m", ".gif"),
}
"""Name endings of videos in a plain folder; opening a file tells whether it is one."""


@dataclass(frozen=True)
class FootageSource:
    """One item to prepare.

    Attributes:
        name: unique and stable, usable as a file name.
        video: the file with the frames.
        sound: another file with the sound, or None.
        group: items of one group show the same thing and go into one split.
    """

    name: str
    video: Path
    sound: Path | None
    group: str

    def fingerprint(self) -> str:
        """Sixteen hex digits that change when one of its files does."""
        parts = [self.name]
        for path in (self.video, self.sound):
            if path is not None and path.exists():
                status = path.stat()
                parts.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
        return hashlib.sha256(os.fsencode("\n".join(parts))).hexdigest()[:16]


def plain(folder: Path) -> list[FootageSource]:
    """Every video below a folder, without hidden ones; each is its own group."""
    sources = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not any(p.startswith(".") for p in inside.parts):
            name = _name(inside)
            sources.append(FootageSource(name, path, None, name))
    return sources


def urmp(folder: Path) -> list[FootageSource]:
    """The pieces of a URMP folder, with the mixed sound where there is one; variants of a title are one group."""
    sources = []
    for video in sorted(folder.rglob("Vid_*.mp4")):
        piece = video.parent
        mix_files = sorted(piece.glob("AuMix_*.wav"))
        title = re.match(r"\d+_([^_]+)", piece.name)
        sources.append(
            FootageSource(
                _name(video.relative_to(folder)),
                video,
                mix_files[0] if mix_files else None,
                title.group(1) if title else piece.name,
            )
        )
    return sources


LAYOUTS: dict[str, Callable[[Path], list[FootageSource]]] = {"plain": plain, "urmp": urmp}


def detect(folder: Path) -> str:
    """The layout of a folder."""
    for video in folder.glob("*/Vid_*.mp4"):
        if any(video.parent.glob("Au*_*.wav")):
            return "urmp"
    return "plain"


def _name(inside: Path) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", str(inside.with_suffix(""))).strip("-").lower()[:48]
    return f"{words or 'video'}-{hashlib.sha256(os.fsencode(inside)).hexdigest()[:8]}"

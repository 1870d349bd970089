"""What shows with faults are given: their words on the command line, and the files and disks that they use."""

from __future__ import annotations

import contextlib
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tests.films import write_film

MUSIC_S = 90
FULL_SHM = 'mount -t tmpfs -o size=64k none /dev/shm && cat /dev/zero > /dev/shm/full 2>/dev/null; exec "$@"'


def both(folder: Path) -> list[str]:
    """The show hears itself, and shows nobody its pictures."""
    return ["--microphone", "self", "--screen", "none", "--record", "none"]


def filmed(folder: Path) -> list[str]:
    """Nothing beside what every show has: music, and a film of it."""
    return []


def both_filmed(folder: Path) -> list[str]:
    """The same, and it is recorded."""
    return ["--microphone", "self", "--screen", "none"]


def without_music(folder: Path) -> list[str]:
    """Pictures of a file of sound."""
    return ["--microphone", str(music_in(folder)), "--screen", "none"]


def with_files(folder: Path) -> list[str]:
    """Everything that is seen, heard and shown is a file."""
    film = write_film(folder / "film.mp4", [0.5 * index for index in range(60)], seconds=30.0, size=(320, 240))
    return [
        *("--camera", str(film), "--microphone", str(music_in(folder)), "--prior", str(picture_in(folder))),
        *("--screen", "none", "--record", "none"),
    ]


def music_in(folder: Path) -> Path:
    """Tones that come and go."""
    path = folder / "music.wav"
    t = np.arange(MUSIC_S * 32_000) / 32_000
    sound = 0.4 * np.sin(2 * np.pi * 330 * t) * (np.sin(2 * np.pi * 1.5 * t) > 0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(32_000)
        file.writeframes((sound * 32_767).astype("<i2").tobytes())
    return path


def picture_in(folder: Path) -> Path:
    """A still."""
    path = folder / "prior.png"
    cv2.imwrite(str(path), np.full((300, 400, 3), 90, np.uint8))
    return path


@contextlib.contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own at this place; only the superuser can make one."""
    path.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "none", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(folder: Path) -> int:
    """Leave no byte of a disk; gives how many were left."""
    written = 0
    with contextlib.suppress(OSError), (folder / "full").open("wb", buffering=0) as file:
        while True:
            written += file.write(bytes(4_096))
    return written

"""Plays a take again, or writes its sound: `run_live.py replay TAKE`."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.registry import open_engine
from streaming.audio.master.master_bus import MASTER_CONTROLS, MasterBus
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.films.take_file import Take, find_take, sound_of_bundle
from streaming.errors import UserError
from streaming.settings.config import Show
from streaming.settings.options import Command
from streaming.system.files import new_file

BYTES = 3
"""Of a sample: 24 bits."""


def prepare_replay(command: Command) -> Command:
    """The command with the take's file and a bundle that makes sound of it.

    Raises:
        UserError: when there is no take, or no bundle for it.
    """
    path = find_take(command.target)
    take = Take(path)
    if not take.ticks:
        raise UserError("has no tick", str(path), "give another take")
    bundles = [name for name in (command.show.bundle, take.header.bundle) if sound_of_bundle(name) == take.header.sound]
    if not bundles:
        what = f"was recorded with a {take.header.bundle} that is not here any more"
        raise UserError(what, str(path), "give --bundle the one that it was recorded with")
    show = msgspec.structs.replace(command.show, take=str(path), bundle=bundles[0])
    return replace(command, show=show, target=str(path))


def make_sound(show: Show) -> NDArray[np.float32]:
    """All of a take's sound as the sound stage makes it; ticks that it lacks are silent.

    Returns:
        float32 [channels, n]: left and right of a show with a width, else one channel.
    """
    engine = open_engine("decoder", bundle=show.bundle, backend=show.backend)
    master = MasterBus({name: show.number(name) for name in MASTER_CONTROLS})
    is_wide = show.number("width") > 0.0
    silence = np.zeros((1 + is_wide, TICK_SAMPLES), np.float32)
    parts: list[NDArray[np.float32]] = []
    last: int | None = None
    for one in Take(show.take):
        if last is not None:
            parts += [silence] * min(one.tick - last - 1, 60 * TICKS_PER_SECOND)
        last = one.tick
        pcm = np.asarray(engine.step(frames=one.frames)["pcm"], np.float32).reshape(-1)
        sound = master.step(pcm, min(max(one.gain, 0.0), 1.0), one.level_db)
        parts.append(sound.left_right() if is_wide else sound.middle[None])
    return np.concatenate(parts, axis=1)


def write_sound(command: Command) -> str:
    """Write a take's sound as a WAV file of 24 bits; returns a line for a person."""
    sound = make_sound(command.show)
    path, aside = new_file(Path(command.out), "aside")
    whole = np.clip(np.rint(sound.astype(np.float64) * 2**23), -(2**23), 2**23 - 1).astype("<i4")
    channels, count = whole.shape
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(BYTES)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.ascontiguousarray(whole.T).view(np.uint8).reshape(-1, 4)[:, :BYTES].tobytes())
    line = f"{path}: {count / SAMPLE_RATE:.2f} s, 24 bits, {SAMPLE_RATE} Hz"
    return f"{aside}\n{line}" if aside else line

"""A show whose speaker is changed while it plays: from a file to a JACK server, and to another file."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICKS_PER_SECOND
from tests.faults.rig.judging import clicks_in
from tests.live.jack_server import MARKS, JackServer
from tests.live.place import CHECKOUT, ShowFolder, output_of, wait_for

pytestmark = [*MARKS, pytest.mark.faults]
SECONDS = 12
GAP_S = 0.3
"""A change costs the sound at most so long."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ShowFolder]:
    monkeypatch.setenv("ANTIPHON_TEST", str(tmp_path))
    server = JackServer(tmp_path / "jackd.log")
    try:
        server.start(48_000)
        for name, value in server.environment.items():
            if os.environ.get(name) != value:
                monkeypatch.setenv(name, value)
        yield ShowFolder(tmp_path)
    finally:
        server.close()


def change(place: ShowFolder, speaker: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        str(CHECKOUT / "run_live.py"),
        "set",
        "speaker",
        speaker,
        "--run-dir",
        str(place.run_dir),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=place.folder)


def sound_of(path: Path) -> NDArray[np.float32]:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (SAMPLE_RATE, 1)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32_768)


def test_the_sound_goes_from_a_file_to_a_device_and_to_another_file(place: ShowFolder) -> None:
    with place.begin("--camera", "performer:drums@1", *output_of(place), "--duration", str(SECONDS)) as show:
        wait_for(place.sounding)
        threading.Event().wait(1.0)
        to_device = change(place, "system")
        refused = change(place, "no such output")
        to_file = change(place, "file:second.wav")
        _, errors = show.communicate(timeout=120)
    assert show.returncode == 0, errors
    assert "speaker is now system" in to_device.stdout, to_device.stderr
    assert refused.returncode == 2
    assert "no such output" in refused.stderr
    assert "second.wav" in to_file.stdout, to_file.stderr
    ticks = place.report()["ticks"]
    assert ticks["expected"] == ticks["played"] + ticks["concealed"] == SECONDS * TICKS_PER_SECOND
    assert ticks["concealed_after_first_second"] <= 2 * GAP_S * TICKS_PER_SECOND
    assert "second.wav" in place.report()["stages"]["speaker"]["info"]["device"]
    first, second = sound_of(place.folder / "out.wav"), sound_of(place.folder / "second.wav")
    assert second.size == SECONDS * SAMPLE_RATE
    begun = int(np.flatnonzero(second)[0])
    assert first.size < begun + SAMPLE_RATE, "the device had the sound between"
    assert np.abs(second).max() > 0.01
    assert clicks_in(first) == clicks_in(second) == []
    assert place.left_over() == []

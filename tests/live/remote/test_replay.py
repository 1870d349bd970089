"""A show is recorded and performed again: the tokens are the same, and its sound can be written in 24 bits."""

from __future__ import annotations

import subprocess
import sys
import wave

import numpy as np
import pytest

from streaming.devices.films.take_file import Take
from tests.live.place import CHECKOUT, ShowFolder, output_of

pytestmark = pytest.mark.live


def test_a_show_is_played_again_with_the_same_tokens(stage: ShowFolder) -> None:
    done = stage.perform("--camera", "performer:keys@2", *output_of(stage), "--duration", "5")
    assert done.returncode == 0, done.stderr
    (path,) = (stage.folder / "films").glob("*.take")
    first = list(Take(path))
    assert 120 <= len(first) <= 125
    again = stage.folder / "again"
    script = str(CHECKOUT / "run_live.py")
    command = [sys.executable, script, "replay", str(path.parent), "--run-dir", str(stage.run_dir), "--osc", "off"]
    command += ["--speaker", f"file:{stage.folder / 'again.wav'}", "--record", str(again)]
    replayed = subprocess.run(command, cwd=stage.folder, capture_output=True, text=True, timeout=120, check=False)
    assert replayed.returncode == 0, replayed.stderr
    (copy,) = again.glob("*.take")
    second = list(Take(copy))
    assert len(second) == len(first)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)
        assert (one.gain, one.level_db) == (other.gain, other.level_db)


def test_a_takes_sound_is_written_in_24_bits(stage: ShowFolder) -> None:
    done = stage.perform("--camera", "performer:keys@2", *output_of(stage), "--duration", "5")
    assert done.returncode == 0, done.stderr
    out = stage.folder / "take.wav"
    script = str(CHECKOUT / "run_live.py")
    command = [sys.executable, script, "replay", str(stage.folder / "films"), "--out", str(out)]
    written = subprocess.run(command, cwd=stage.folder, capture_output=True, text=True, timeout=120, check=False)
    assert written.returncode == 0, written.stderr
    with wave.open(str(out)) as file:
        assert (file.getsampwidth(), file.getframerate(), file.getnchannels()) == (3, 32_000, 1)
        raw = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, 3)
    high = (np.pad(raw, ((0, 0), (1, 0))).view("<i4")[:, 0] / 2**31).astype(np.float64)
    with wave.open(str(stage.folder / "out.wav")) as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 2**15
    # The show's own sound, but for where the file begins.
    size = 32_000
    part = heard[2 * size : 3 * size]
    best = np.argmax(np.correlate(high, part, "valid"))
    assert np.abs(high[best : best + size] - part).max() < 1e-3


def test_nothing_to_replay_is_one_line(stage: ShowFolder) -> None:
    script = str(CHECKOUT / "run_live.py")
    command = [sys.executable, script, "replay", str(stage.folder)]
    done = subprocess.run(command, cwd=stage.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no take lies in this folder" in done.stderr

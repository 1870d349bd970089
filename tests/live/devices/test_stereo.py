"""A show with width and room: file and film have two sides, a live change is heard, and stillness is silence."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from tests.live.place import CHECKOUT, ShowFolder, output_of, wait_for

pytestmark = [pytest.mark.live, pytest.mark.faults]
SECONDS = 8


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShowFolder:
    monkeypatch.setenv("ANTIPHON_TEST", str(tmp_path))
    return ShowFolder(tmp_path)


def spread(sides: NDArray[np.floating]) -> float:
    """How much of the sound, [2, n], is in the difference of its sides, in dB."""
    middle, side = sides[0] + sides[1], sides[0] - sides[1]
    return float(
        10 * np.log10((np.mean(side.astype(np.float64) ** 2) + 1e-12) / np.mean(middle.astype(np.float64) ** 2))
    )


def test_a_wide_show_in_a_room_is_heard_and_kept_in_two_channels(place: ShowFolder) -> None:
    words = ("--camera", "performer:drums@1", "--width", "0.8", "--room", "0.3", *output_of(place))
    with place.begin(*words, "--duration", str(SECONDS)) as show:
        wait_for(place.sounding)
        wait_for(lambda: (place.folder / "out.wav").stat().st_size > 4 * SAMPLE_RATE * 4)
        command = [sys.executable, str(CHECKOUT / "run_live.py"), "set", "width", "0", "--run-dir", str(place.run_dir)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place.folder)
        assert "width is now 0" in done.stdout, done.stderr
        output, errors = show.communicate(timeout=120)
    assert show.returncode == 0, errors
    with wave.open(str(place.folder / "out.wav")) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, SECONDS * SAMPLE_RATE)
        whole = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T / np.float32(32_768)
    assert spread(whole[:, SAMPLE_RATE : 3 * SAMPLE_RATE]) > -12.0
    np.testing.assert_array_equal(whole[0, -SAMPLE_RATE:], whole[1, -SAMPLE_RATE:])
    report = place.report()
    assert report["ticks"]["concealed_after_first_second"] == 0
    film = next(line.removeprefix("film: ") for line in output.splitlines() if line.startswith("film: "))
    with av.open(film) as container:
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert heard.shape[0] == 2
    assert spread(heard[:, SAMPLE_RATE : 3 * SAMPLE_RATE]) > -12.0
    assert place.left_over() == []
    replay = [sys.executable, str(CHECKOUT / "run_live.py"), "replay", str(place.folder / "films"), "--width", "0.8"]
    written = subprocess.run(
        [*replay, "--room", "0.3", "--out", str(place.folder / "again.wav")],
        capture_output=True, text=True, check=False, cwd=place.folder,
    )  # fmt: skip
    assert written.returncode == 0, written.stderr
    with wave.open(str(place.folder / "again.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 3)
        raw = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, 3)
    again = (np.pad(raw, ((0, 0), (1, 0))).view("<i4")[:, 0] / np.float32(2**31)).reshape(-1, 2).T
    part = whole[:, SAMPLE_RATE : 2 * SAMPLE_RATE]
    # The take begins a few ticks after the show.
    starts = [begin for begin in range(0, 3 * SAMPLE_RATE, TICK_SAMPLES) if begin + SAMPLE_RATE <= again.shape[1]]
    at = min(starts, key=lambda begin: float(np.abs(again[:, begin : begin + SAMPLE_RATE] - part).max()))
    assert np.abs(again[:, at : at + SAMPLE_RATE] - part).max() < 2e-3

"""A whole performance into a JACK server: what leaves the port is, sample for sample, what the sound stage sent.

`ANTIPHON_SOAK_S=600` makes it the soak that the README's figures come from; the figures are printed (`pytest -s`).
`ANTIPHON_JACK_PERIOD` is the server's period in frames.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from streaming.audio.resampler import TickResampler
from streaming.conventions import TICK_SAMPLES, TICKS_PER_SECOND
from streaming.schema.messages import Sound
from streaming.telemetry.metrics import Metrics
from streaming.timing.clock import now_ns
from streaming.transport.bus import Subscriber
from streaming.transport.sockets import Poller
from tests.live.jack_server import MARKS, PERIOD, RECORDER, client, connect, jack, line, place_of, tell

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS = int(os.environ.get("ANTIPHON_SOAK_S", "8"))
LONGEST_TEST_S = 60
"""What takes longer is a soak, which `make test-soak` runs."""
pytestmark = [*MARKS, pytest.mark.soak] if SECONDS > LONGEST_TEST_S else MARKS
TICKS = SECONDS * TICKS_PER_SECOND
CONNECTED_WITHIN = 50
"""Ticks until the recorder must be wired to the port of a show that has just appeared."""
RESAMPLED_DB = -100.0


class PortListener:
    """Keeps what the sound stage publishes: the sound of every tick, float32 [TICKS, 1280]."""

    def __init__(self, run_dir: Path) -> None:
        self.sent = np.full((TICKS, TICK_SAMPLES), np.nan, np.float32)
        self.metrics = Metrics()
        self._subscriber = Subscriber({"sound": f"ipc://{run_dir / 'sound.sock'}"}, self.metrics)
        self._ended = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        poller = Poller(self._subscriber)
        while not self._ended:
            poller.wait(now_ns() + 50_000_000)
            for message in self._subscriber.drain().get("sound", []):
                if isinstance(message, Sound) and 0 <= message.tick < TICKS:
                    self.sent[message.tick] = message.pcm

    def close(self) -> None:
        self._ended = True
        self._thread.join(5.0)
        self._subscriber.close()


def wire(environment: dict[str, str], show: subprocess.Popen[str]) -> None:
    """Connect the recorder as soon as the show's port is there."""
    for _ in range(1200):
        listed = subprocess.run(["jack_lsp"], env=environment, capture_output=True, text=True, check=False).stdout
        if ":out_0" in listed:
            connect(environment)
            return
        if show.poll() is not None:
            break
        signal.sigtimedwait([], 0.02)
    pytest.fail("the show opened no port")


def perform(rate: int, folder: Path) -> tuple[dict[str, Any], NDArray[np.float32], NDArray[np.float32]]:
    """Perform through a server of this rate: (report, what was sent [TICKS, 1280], what was recorded [n])."""
    run_dir = folder / "run"
    run_dir.mkdir(mode=0o700)
    command = [sys.executable, str(CHECKOUT / "run_live.py"), "--direction", "video-to-music", "--awake"]
    command += ["--camera", "performer:drums@1", "--speaker", "auto", "--duration", str(SECONDS)]
    command += ["--run-dir", str(run_dir), "--record", str(folder / "films"), "--report", str(folder / "r.json")]
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(jack(rate, folder / "jackd.log"))
        recorder = client(RECORDER, environment, str(rate), str(SECONDS + 30), str(folder / "got.npy"))
        stack.callback(recorder.kill)
        assert line(recorder) == "recording"
        listener = PortListener(run_dir)
        stack.callback(listener.close)
        show = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
        )
        stack.callback(show.kill)
        wire(environment, show)
        words, errors = show.communicate(timeout=SECONDS + 120)
        assert show.returncode == 0, errors + words
        tell(recorder)
        overflows = int(line(recorder))
        recorder.wait(timeout=60)
    report = json.loads((folder / "r.json").read_text())
    report["recorder_overflows"] = overflows
    report["listener"] = listener.metrics.take("listener", {}).counters
    return report, listener.sent, np.load(folder / "got.npy")


def difference_db(played: NDArray[np.float32], sent: NDArray[np.float32], rate: int) -> float:
    """How far the loudest ten seconds below 12 kHz differ from an ideal resampling of what was sent, in dB."""
    reference = soxr.resample(sent.astype(np.float64), 32_000, rate, quality="VHQ")
    delay = 0 if rate == 32_000 else rate // 1000
    spans = np.arange(3 * rate, max(reference.size - 2 * rate, 3 * rate + 1), rate)
    begin = int(spans[np.argmax([np.abs(reference[s : s + rate]).sum() for s in spans])])
    part = slice(begin, min(begin + 10 * rate, reference.size - rate))
    hz = np.fft.rfftfreq(part.stop - part.start, 1 / rate)
    window = np.hanning(part.stop - part.start)
    ideal = np.fft.rfft(window * reference[part])[hz < 12_000]
    got = np.fft.rfft(window * played[part.start + delay : part.stop + delay])[hz < 12_000]
    return round(float(10 * np.log10((np.abs(got - ideal) ** 2).sum() / (np.abs(ideal) ** 2).sum() + 1e-20)), 1)


@pytest.mark.timeout(300 + 3 * SECONDS)
@pytest.mark.parametrize("rate", [32_000, 48_000])
def test_what_the_port_gives_is_what_the_sound_stage_sent(rate: int, tmp_path: Path) -> None:
    report, sent, got = perform(rate, tmp_path)
    assert report["audio"]["samplerate"] == rate
    ticks, size = report["ticks"], rate // TICKS_PER_SECOND
    there = np.asarray(~np.isnan(sent).any(1))
    heard = np.where(there[:, None], sent, 0.0).ravel().astype(np.float32)
    first, second = 2 * TICKS_PER_SECOND * TICK_SAMPLES, TICKS_PER_SECOND * TICK_SAMPLES
    # From the third second on, where the loudest second of the first ten is.
    starts = np.arange(first, min(heard.size, 10 * second) - second, second // 5)
    loudest = int(starts[np.argmax([np.abs(heard[s : s + second]).sum() for s in starts])])
    assert np.abs(heard[loudest : loudest + second]).max() > 0.02, "it plays"
    resampler = TickResampler(32_000, rate)
    wanted = np.concatenate([resampler.step(tick) for tick in heard.reshape(TICKS, TICK_SAMPLES)])
    needle = loudest * rate // 32_000
    found = place_of(wanted[needle : needle + rate], got[: needle + 40 * rate]) - needle
    assert found >= 0
    played = got[found : found + wanted.size]
    assert played.size == wanted.size, "the recording holds the whole performance"
    same = (played.reshape(TICKS, size) == wanted.reshape(TICKS, size)).all(1)
    connected = int(np.argmax(np.abs(played.reshape(TICKS, size)).max(1) > 0.0))
    figures = {
        "rate": rate,
        "period": PERIOD,
        "ticks": ticks,
        "audio": report["audio"],
        "motion_to_sound_ms": report["motion_to_sound_ms"],
        "stolen_percent": report["stolen_percent"],
        "same": int(same.sum()),
        "connected": connected,
        "below_12_khz_db": difference_db(played, heard, rate),
        "recorder_overflows": report["recorder_overflows"],
        "rss_mb_per_hour": {name: stage["rss_mb_per_hour"] for name, stage in report["stages"].items()},
    }
    sys.stderr.write(f"\n{json.dumps(figures)}\n")
    assert ticks["expected"] == TICKS
    assert connected < CONNECTED_WITHIN
    listening = int(np.argmax(there))
    assert listening < CONNECTED_WITHIN
    assert int(there[listening:].sum()) >= ticks["played"] - listening, "the listener missed nothing from then on"
    # A concealed tick is not what was sent, nor is the one that it is cross-faded into (nor, resampled, the next).
    missed = CONNECTED_WITHIN + 3 * ticks["concealed"] + 2 * report["audio"]["underruns"]
    assert int(same.sum()) >= TICKS - missed
    if ticks["concealed"] + report["audio"]["underruns"] == 0:
        # What was played before recorder and listener were connected cannot be compared. The recorder may cut a tick,
        # and resampled ticks depend on those before them.
        assert bool(same[max(connected + 1, listening + 2) :].all()), "from the connection on, every tick"
        assert figures["below_12_khz_db"] < RESAMPLED_DB

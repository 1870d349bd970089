"""A sound device for real: through PortAudio into a private JACK server, recorded from the port by another process."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soxr

from streaming.timing.clock import keep_awake, now_ns, sleep_until
from tests.live.jack_server import MARKS, PERIOD, RECORDER, client, connect, jack, line, place_of, tell

pytestmark = MARKS

SECONDS = 8
TICKS = SECONDS * 25
RELEASE_S = 0.005

PLAYER = """
import contextlib
import json
import os
import sys
import numpy as np
from streaming.timing.clock import now_ns, sleep_until, DeviceClock
from streaming.devices.sound.outputs import Feed
from streaming.devices.sound.speakers import SoundDeviceOutput
from streaming.conventions import TICK_NS
from streaming.audio.resampler import TickResampler
from streaming.audio.tick_ring import TickRing
sys.setswitchinterval(0.0005)
with contextlib.suppress(OSError):
    os.nice(-10)  # as the table of processes asks for the speaker
wave = np.load(sys.argv[1])
ticks = wave.shape[0] // 1280
output = SoundDeviceOutput("auto")
ring = TickRing(output.samplerate, channels=output.sides)
feed = Feed(ring)
resampler = TickResampler(32_000, output.samplerate)
output.start(feed)
print("playing", flush=True)
sys.stdin.readline()
clock = DeviceClock(float(output.samplerate))
log, last, due = [], 0, now_ns()
origin = ring.position + 8 * ring.tick_samples
ring.start(origin, 0, ticks)
before = output.underruns  # clients that join a server cost it a period
handed, played, concealed, slack = 0, 0, 0, []
while ring.playing < ticks - 1 or ring.position < origin + (ticks + 2) * ring.tick_samples:
    while handed < ticks and handed <= ring.playing + 12:
        pcm = resampler.step(wave[handed * 1280:(handed + 1) * 1280])
        ring.put(handed, pcm if output.sides == 1 else np.repeat(pcm[:, None], output.sides, 1), now_ns())
        handed += 1
    due += TICK_NS // 4
    sleep_until(due)
    for position, at_ns, delay_ns in feed.drain():
        clock.observe(position, at_ns + delay_ns)
        if last:
            log.append((at_ns - last) / 1e6)
        last = at_ns
        delay = delay_ns
    for record in ring.drain():
        played += record.played
        concealed += not record.played
        if record.arrived_ns is not None:
            slack.append((record.start_ns - record.arrived_ns) / 1e6)
    if not output.alive():
        sys.exit("the device stopped")
interval = np.array(log)
print(json.dumps({
    "device": output.name, "samplerate": output.samplerate, "channels": output.channels,
    "latency_ms": output.latency_s * 1e3, "delay_ms": delay / 1e6,
    "underruns": output.underruns - before, "underruns_before": before,
    "errors": feed.errors, "played": played, "concealed": concealed, "late": ring.late,
    "fill_longest_ms": feed.longest_ns / 1e6, "rate_hz": clock.rate_hz, "slack_min_ms": min(slack),
    "interval_ms": [float(np.percentile(interval, q)) for q in (50, 99, 100)],
}), flush=True)
sys.stdin.readline()
output.close()
"""


def sound(seed: int) -> np.ndarray:
    """Notes and noise below 12 kHz at 32 kHz, whole ticks; the first sample is not silent."""
    samples = TICKS * 1280
    t = np.arange(samples) / 32_000
    hz = np.fft.rfftfreq(samples, 1 / 32_000)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples)) / np.sqrt(hz + 50)
    spectrum += np.fft.rfft(0.02 * np.sin(2 * np.pi * 440 * t) * np.exp(-3 * (t % 0.5)))
    wave = np.fft.irfft(np.where((hz > 60) & (hz < 12_000), spectrum, 0.0), samples)
    return np.asarray(0.7 * wave / np.abs(wave).max(), np.float32)


def play_and_record(rate: int, wave: np.ndarray, folder: Path) -> tuple[dict[str, object], np.ndarray]:
    import json

    np.save(folder / "sent.npy", wave)
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(jack(rate, folder / "jackd.log"))
        stack.enter_context(keep_awake())
        recorder = client(RECORDER, environment, str(rate), str(SECONDS + 20), str(folder / "got.npy"))
        stack.callback(recorder.kill)
        assert line(recorder) == "recording"
        player = client(PLAYER, environment, str(folder / "sent.npy"))
        stack.callback(player.kill)
        assert line(player) == "playing"
        connect(environment)
        tell(player)
        figures: dict[str, object] = json.loads(line(player, SECONDS + 60.0))
        sleep_until(now_ns() + 100_000_000)
        tell(recorder)
        # At its own start, too: what counts is the comparison of the samples.
        figures["recorder_overflows"] = int(line(recorder))
        recorder.wait(timeout=20)
        tell(player)
        player.wait(timeout=20)
    return figures, np.load(folder / "got.npy")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("rate", [32_000, 48_000])
def test_what_leaves_the_port_is_what_was_sent(rate: int) -> None:
    wave = sound(rate)
    with tempfile.TemporaryDirectory() as folder:
        figures, got = play_and_record(rate, wave, Path(folder))
    sys.stderr.write(f"\njack at {rate} Hz, {PERIOD} frames, awake: {figures}\n")
    assert figures["samplerate"] == rate
    assert (figures["played"], figures["concealed"]) == (TICKS, 0)
    # Underruns are the server's, of a machine that other work keeps busy; they are reported, the samples decide.
    assert (figures["errors"], figures["late"]) == (0, 0)
    if rate == 32_000:
        at = place_of(wave[:rate], got)
        np.testing.assert_array_equal(got[at : at + wave.shape[0]], wave)
        assert not got[:at].any(), "silence before"
        assert not got[at + wave.shape[0] + round(RELEASE_S * rate) :].any(), "silence after"
        return
    reference = soxr.resample(wave.astype(np.float64), 32_000, rate, quality="VHQ")
    delay = rate // 1000
    at = place_of(reference[:rate], got) - delay
    part = slice(rate // 10, reference.shape[0] - rate // 10)
    error = got[at + delay : at + delay + reference.shape[0]][part] - reference[part]
    level_db = 20 * np.log10(np.sqrt((error**2).mean()) / np.sqrt((reference[part] ** 2).mean()))
    # The resampler's own test states -105 dB.
    assert level_db < -100.0

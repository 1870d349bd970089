"""Audio outputs: the paced file and null devices on a virtual clock, and a sound device behind a fake PortAudio."""

from __future__ import annotations

import struct
import threading
import types
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streaming.audio.tick_ring import TickRing
from streaming.devices.sound import speakers, wav_file
from streaming.devices.sound.outputs import Feed, FileOutput, NullOutput
from streaming.devices.sound.portaudio import list_devices
from streaming.devices.sound.speakers import SoundDeviceOutput, open_output
from streaming.devices.sound.wav_file import WavWriter
from streaming.errors import SourceError, UserError


class VirtualClock:
    """Time that passes only while somebody sleeps; the sleeper waits once a limit is reached."""

    def __init__(self, limit_ns: int) -> None:
        self.now = 1_000_000_000
        self.limit_ns = self.now + limit_ns
        self.reached = threading.Event()
        self.ended = threading.Event()

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, deadline_ns: int) -> None:
        if deadline_ns >= self.limit_ns:
            self.reached.set()
            self.ended.wait(5.0)
        self.now = max(self.now, deadline_ns)


def ramp(ticks: int) -> np.ndarray:
    return (np.arange(ticks * 1280) % 1000 / 2000.0).astype(np.float32)


def full_ring(wave_in: np.ndarray, position: int, first_tick: int = 0) -> TickRing:
    ring = TickRing(32_000, slots=64)
    ticks = wave_in.shape[0] // 1280
    ring.start(position, first_tick, first_tick + ticks)
    for tick in range(ticks):
        assert ring.put(first_tick + tick, wave_in[tick * 1280 : (tick + 1) * 1280])
    return ring


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 32_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32767.0


def run_file(path: Path, wave_in: np.ndarray, seconds: float, position: int, place: int, resume: bool = False) -> Feed:
    clock = VirtualClock(round(seconds * 1e9))
    output = FileOutput(path, resume=resume, now_ns=clock.now_ns, sleep_until=clock.sleep_until)
    ring = full_ring(wave_in, position, place // 1280)
    feed = Feed(ring, clock.now_ns)
    output.span(position, place, place + wave_in.shape[0])
    output.start(feed)
    assert output.alive()
    assert clock.reached.wait(10.0)
    clock.ended.set()
    output.close()
    output.close()
    assert output.notes() == []
    return feed


def test_a_file_holds_the_performance_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    feed = run_file(path, ramp(25), seconds=1.5, position=777, place=0)
    found = read(path)
    assert found.shape == (32_000,)
    np.testing.assert_allclose(found, ramp(25), atol=0.5 / 32767.0 + 1e-7)
    assert feed.errors == 0
    logged = feed.drain()
    assert len(logged) == 128
    position, due_ns, delay_ns = logged[-1]
    assert due_ns == 1_000_000_000 + position * 1_000_000_000 // 32_000
    assert delay_ns == 5_000_000
    assert feed.drain() == []


def test_a_restarted_file_goes_on_at_its_place_with_silence_between(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    run_file(path, ramp(5), seconds=0.5, position=320, place=0)
    run_file(path, ramp(5), seconds=0.5, position=500, place=8 * 1280, resume=True)
    found = read(path)
    assert found.shape == (13 * 1280,)
    np.testing.assert_allclose(found[: 5 * 1280], ramp(5), atol=1e-4)
    np.testing.assert_array_equal(found[5 * 1280 : 8 * 1280], 0.0)
    np.testing.assert_allclose(found[8 * 1280 :], ramp(5), atol=1e-4)


def test_a_file_that_was_killed_is_readable_and_a_torn_one_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    writer = WavWriter(path, 32_000)
    writer.write(0, ramp(1))
    for _ in range(100):
        if path.stat().st_size >= 44 + 2560:
            break
        threading.Event().wait(0.02)
    for _ in range(100):
        if struct.unpack("<I", path.read_bytes()[40:44])[0] == 2560:
            break
        threading.Event().wait(0.02)
    assert read(path).shape == (1280,), "readable while it is still open"
    writer.close()
    with path.open("ab") as file:
        file.write(b"\x01")
    again = WavWriter(path, 32_000, resume=True)
    again.write(1280, ramp(1))
    again.close()
    np.testing.assert_allclose(read(path), np.concatenate((ramp(1), ramp(1))), atol=1e-4)


def test_a_full_disk_ends_the_file_and_not_the_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.wav"
    writer = WavWriter(path, 32_000)
    writer.write(0, ramp(1))

    def full(self: WavWriter, data: bytes) -> None:
        if len(data) > 44:
            raise OSError(28, "No space left on device")
        self._file.write(data)

    monkeypatch.setattr(wav_file.WavWriter, "_all", full)
    writer.close()
    writer.write(1280, ramp(1))
    problems = writer.take_problems()
    assert len(problems) == 1
    assert "No space left" in problems[0]
    assert read(path).shape == (0,)


def test_a_disk_that_hangs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = threading.Event()
    monkeypatch.setattr(wav_file, "_MAX_QUEUE", 5)
    monkeypatch.setattr(wav_file.WavWriter, "_flush", lambda self: hold.wait(5.0))
    writer = WavWriter(tmp_path / "out.wav", 32_000)
    for index in range(50):
        writer.write(index, ramp(1))
    assert len(writer._queue) <= 5
    assert "too slow" in writer.take_problems()[0]
    hold.set()
    writer.close()


@pytest.mark.parametrize(
    ("spec", "fix"), [("file:{0}/no/such/x.wav", "folder that exists"), ("file:{0}/x.mp3", "NAME.wav")]
)
def test_a_file_that_cannot_be(tmp_path: Path, spec: str, fix: str) -> None:
    with pytest.raises(SourceError, match=fix):
        open_output(spec.format(tmp_path))


def test_the_null_output_is_paced_and_ends() -> None:
    clock = VirtualClock(1_000_000_000)
    output = NullOutput(32_000, clock.now_ns, clock.sleep_until)
    ring = TickRing(32_000)
    feed = Feed(ring, clock.now_ns)
    output.start(feed)
    assert clock.reached.wait(10.0)
    clock.ended.set()
    output.close()
    assert not output.alive()
    assert 32_000 <= ring.position <= 32_320
    assert output.underruns == 0


def test_the_feed_never_raises() -> None:
    class Broken:
        position = 0

        def fill(self, out: np.ndarray, now_ns: int) -> None:
            raise RuntimeError("no")

    feed = Feed(Broken())  # type: ignore[arg-type]
    block = np.ones(8, np.float32)
    feed(block, 0)
    assert feed.errors == 1
    np.testing.assert_array_equal(block, 0.0)


class PortAudioError(Exception):
    pass


def fake_portaudio(names: list[str], rates: tuple[int, ...], channels: tuple[int, ...] = (2,)) -> types.SimpleNamespace:
    """A stand-in for the sounddevice module."""
    opened: list[dict[str, Any]] = []

    class OutputStream:
        latency = 0.012
        active = True

        def __init__(self, **settings: Any) -> None:
            if settings["samplerate"] not in rates:
                raise PortAudioError("Invalid sample rate")
            if settings["channels"] not in channels:
                raise PortAudioError("Invalid number of channels")
            opened.append(settings)
            self.settings = settings

        def start(self) -> None:
            return None

        def abort(self, ignore_errors: bool) -> None:
            self.active = False

        def close(self, ignore_errors: bool) -> None:
            return None

    devices = [
        {"name": name, "hostapi": 0, "max_output_channels": max(channels), "default_samplerate": 48_000.0}
        for name in names
    ] + [{"name": "only a microphone", "hostapi": 0, "max_output_channels": 0, "default_samplerate": 48_000.0}]
    return types.SimpleNamespace(
        PortAudioError=PortAudioError,
        OutputStream=OutputStream,
        opened=opened,
        query_devices=lambda: devices,
        query_hostapis=lambda: [{"name": "FAKE", "default_output_device": 0 if names else -1}],
        default=types.SimpleNamespace(device=[-1, -1]),
    )


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(*args: Any, **kwargs: Any) -> types.SimpleNamespace:
        fake = fake_portaudio(*args, **kwargs)
        monkeypatch.setattr(speakers, "load_sounddevice", lambda: fake)
        return fake

    return install


def test_the_codec_rate_is_taken_where_the_device_takes_it(portaudio: Any) -> None:
    portaudio(["Built-in", "USB Interface"], (32_000, 48_000))
    output = SoundDeviceOutput("usb")
    assert (output.name, output.samplerate, output.channels) == ("USB Interface (FAKE)", 32_000, 2)
    assert SoundDeviceOutput("auto").name.startswith("Built-in")
    assert SoundDeviceOutput("1").name.startswith("USB")


@pytest.mark.parametrize(("rates", "expected"), [((48_000,), 48_000), ((44_100,), 44_100)])
def test_other_rates_and_mono_are_fallen_back_to(portaudio: Any, rates: tuple[int, ...], expected: int) -> None:
    portaudio(["Only"], rates, channels=(1,))
    output = SoundDeviceOutput("Only")
    assert (output.samplerate, output.channels) == (expected, 1)


def test_devices_that_cannot_be_used_say_what_there_is(portaudio: Any, tmp_path: Path) -> None:
    portaudio(["Built-in"], (22_050,))
    with pytest.raises(SourceError, match="0: Built-in"):
        SoundDeviceOutput("hdmi")
    with pytest.raises(SourceError, match=r"refuses 32000, 48000, 44100 Hz \(Invalid sample rate\)"):
        SoundDeviceOutput("Built-in")
    portaudio([], ())
    with pytest.raises(SourceError, match="no audio output at all"):
        SoundDeviceOutput("3")
    assert list_devices(fake_portaudio([], ()), "output") == []
    output, line = open_output("auto", str(tmp_path / "shows"))
    assert isinstance(output, FileOutput)
    assert "speaker-001.wav" in line
    output.close()
    second, _ = open_output("auto", str(tmp_path / "shows"))
    assert isinstance(second, FileOutput)
    assert second.path.name == "speaker-002.wav", "an earlier performance is not overwritten"
    second.close()
    null, line = open_output("auto", "none")
    assert isinstance(null, NullOutput)
    assert "not heard" in line


def test_a_missing_portaudio_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    with pytest.raises(UserError, match="libportaudio2"):
        SoundDeviceOutput("auto")


def test_the_callback_fills_all_channels_times_itself_and_survives(portaudio: Any) -> None:
    fake = portaudio(["Built-in"], (32_000,))
    output = SoundDeviceOutput("auto")
    callback = fake.opened[0]["callback"]
    times = types.SimpleNamespace(outputBufferDacTime=10.02, currentTime=10.0)
    out = np.ones((100, 2), np.float32)
    callback(out, 100, times, None)
    np.testing.assert_array_equal(out, 0.0)
    ring = full_ring(ramp(10), 0)
    feed = Feed(ring, lambda: 5)
    output.start(feed)
    out = np.ones((9000, 2), np.float32)
    callback(out, 9000, times, types.SimpleNamespace(output_underflow=True))
    np.testing.assert_array_equal(out, np.repeat(ramp(10)[:9000, None], 2, axis=1))
    assert output.underruns == 1
    callback(out[:10], 10, types.SimpleNamespace(outputBufferDacTime=0.0, currentTime=10.0), None)
    logged = feed.drain()
    assert [row[0] for row in logged] == [0, 8192, 9000]
    assert [round(row[2] / 1e6) for row in logged] == [20, 276, 12], "an implausible time means the stream's latency"
    callback(out, 10, None, None)
    np.testing.assert_array_equal(out, 0.0)
    output.close()

"""Audio outputs: the paced file and null devices on a virtual clock, and a sound device behind a fake PortAudio."""

from __future__ import annotations

import io
import resource
import struct
import threading
import types
import wave
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from streaming.audio.tick_ring import TickRing
from streaming.devices.sound import speakers, wav_file
from streaming.devices.sound.outputs import ChannelPlan, Feed, FileOutput, NullOutput
from streaming.devices.sound.portaudio import list_devices
from streaming.devices.sound.speakers import SoundDeviceOutput
from streaming.devices.sound.wav_file import EarlierFile, WavWriter
from streaming.errors import SourceError, UserError
from streaming.schema.device_kinds import SPEAKER
from tests.unit.streaming.devices.sound.virtual_clock import SleepClock


def ramp(ticks: int) -> np.ndarray:
    return (np.arange(ticks * 1280) % 1000 / 2000.0).astype(np.float32)


def full_ring(wave_in: np.ndarray, position: int, first_tick: int = 0, channels: int = 1) -> TickRing:
    """A ring that holds a sound, the same in all channels."""
    ring = TickRing(32_000, slots=64, channels=channels)
    if channels > 1:
        wave_in = np.repeat(wave_in[:, None], channels, axis=1)
    ticks = wave_in.shape[0] // 1280
    ring.start(position, first_tick, first_tick + ticks)
    for tick in range(ticks):
        assert ring.put(first_tick + tick, wave_in[tick * 1280 : (tick + 1) * 1280])
    return ring


def read(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 32_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32767.0


def run_file(
    path: Path, wave_in: np.ndarray, seconds: float, position: int, place: int, existing: EarlierFile = "aside"
) -> Feed:
    clock = SleepClock(seconds)
    output = FileOutput(path, existing, now_ns=clock.now_ns, sleep_until=clock.sleep_until)
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
    run_file(path, ramp(5), seconds=0.5, position=500, place=8 * 1280, existing="resume")
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
    again = WavWriter(path, 32_000, "resume")
    again.write(1280, ramp(1))
    again.close()
    np.testing.assert_allclose(read(path), np.concatenate((ramp(1), ramp(1))), atol=1e-4)


def test_a_full_disk_ends_the_file_and_not_the_show(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, limits[1]))
    try:
        writer = WavWriter(path, 32_000)
        for index in range(3):
            writer.write(1280 * index, ramp(1))
        writer.close()
        writer.write(4 * 1280, ramp(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    problems = writer.take_notes()
    assert len(problems) == 1
    assert "the file ends here, the show goes on" in problems[0]
    with wave.open(str(path)) as file:
        assert file.getframerate() == 32_000


class HangingFile(io.FileIO):
    """A file on a disk that hangs after the header."""

    def __init__(self, path: Path, hold: threading.Event) -> None:
        super().__init__(path, "r+b")
        self.hold = hold

    def write(self, data: Any) -> int:
        if len(data) > 44:
            self.hold.wait(5.0)
        return super().write(data) or 0


def test_a_disk_that_hangs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = threading.Event()
    monkeypatch.setattr(wav_file, "MAX_QUEUE", 5)
    writer = WavWriter(tmp_path / "out.wav", 32_000, opener=lambda path: HangingFile(path, hold))
    for index in range(50):
        writer.write(index * 1280, ramp(1))
        threading.Event().wait(0.01)
    assert "too slow" in writer.take_notes()[0]
    hold.set()
    writer.close()


def test_an_earlier_take_is_kept_and_no_show_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    run_file(path, ramp(3), seconds=0.3, position=320, place=0)
    before = path.read_bytes()
    output = FileOutput(path)
    output.close()
    assert path.read_bytes() == before, "a show that does not begin changes nothing"
    assert output.path is None
    output.span(0, 0, None)
    assert output.path == path
    assert output.notes() == [f"{path}: the earlier take is kept as out-1.wav"]
    output.close()
    assert (tmp_path / "out-1.wav").read_bytes() == before
    FileOutput(tmp_path / "never.wav").close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["out-1.wav", "out.wav"]


def test_another_file_in_its_place_is_not_gone_on_with_but_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    path.write_bytes(b"a diary, of all things, and one that is longer than a header")
    writer = WavWriter(path, 32_000, "resume")
    writer.write(0, ramp(1))
    writer.close()
    assert (tmp_path / "out-1.wav").read_bytes().startswith(b"a diary")
    assert read(path).shape == (1280,)


def test_a_file_that_can_no_longer_be_made_when_the_show_begins_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    output = FileOutput(tmp_path / "folder" / "out.wav")
    (tmp_path / "folder").rmdir()
    output.span(0, 0, None)
    (line,) = output.notes()
    assert "cannot be written" in line
    assert "the show goes on" in line
    output.close()


@pytest.mark.parametrize(
    ("spec", "fix"), [("file:{0}/no/such/x.wav", "folder does not exist"), ("file:{0}/x.mp3", "PATH.wav")]
)
def test_a_file_that_cannot_be(tmp_path: Path, spec: str, fix: str) -> None:
    with pytest.raises(SourceError, match=fix):
        SPEAKER.open(spec.format(tmp_path), "", "")


def test_the_null_output_is_paced_and_ends() -> None:
    clock = SleepClock(1.0)
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
    assert list_devices(cast(types.ModuleType, fake_portaudio([], ())), "output") == []
    for name in ("speaker.wav", "speaker-2.wav"):
        output, line = SPEAKER.open("auto", str(tmp_path / "shows"), "")
        assert isinstance(output, FileOutput)
        assert "shows" in line
        output.span(0, 0, None)
        assert output.path == tmp_path / "shows" / name, "an earlier performance is not overwritten"
        assert output.notes() == [f"the sound goes to {output.path}"]
        output.close()
    null, line = SPEAKER.open("auto", "none", "")
    assert isinstance(null, NullOutput)
    assert "neither played nor recorded" in line


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
    ring = full_ring(ramp(10), 0, channels=output.sides)
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


def test_the_channels_that_are_chosen_play_and_the_others_are_silent(portaudio: Any) -> None:
    fake = portaudio(["Interface"], (32_000,), channels=(1, 2, 4))
    output = SoundDeviceOutput("auto")
    output.arrange(ChannelPlan((4, 3)))
    assert (output.channels, output.sides, fake.opened[-1]["channels"]) == (4, 2, 4)
    ring = TickRing(32_000, channels=2)
    ring.start(0, 0, 2)
    sides = np.stack([ramp(1), -ramp(1)], axis=1)
    assert ring.put(0, sides)
    output.start(Feed(ring, lambda: 5))
    out = np.ones((1280, 4), np.float32)
    times = types.SimpleNamespace(outputBufferDacTime=10.02, currentTime=10.0)
    fake.opened[-1]["callback"](out, 1280, times, None)
    np.testing.assert_array_equal(out[:, :2], 0.0)
    np.testing.assert_array_equal(out[:, [3, 2]], sides)
    one = SoundDeviceOutput("auto")
    one.arrange(ChannelPlan((2,)))
    assert (one.channels, one.sides) == (2, 1)
    one.start(Feed(full_ring(ramp(1), 0), lambda: 5))
    out = np.ones((640, 2), np.float32)
    fake.opened[-1]["callback"](out, 640, times, None)
    np.testing.assert_array_equal(out, np.stack([np.zeros(640), ramp(1)[:640]], axis=1))
    with pytest.raises(SourceError, match="has 4 channels, and no channel 6"):
        SoundDeviceOutput("auto").arrange(ChannelPlan((5, 6)))


def test_a_wide_show_leaves_a_file_of_two_channels_and_goes_on_with_it(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    for place, existing in ((0, "aside"), (2, "resume")):
        clock = SleepClock(0.2)
        output = FileOutput(path, cast(EarlierFile, existing), now_ns=clock.now_ns, sleep_until=clock.sleep_until)
        output.arrange(ChannelPlan(wide=True))
        ring = TickRing(32_000, channels=2)
        ring.start(320, place, place + 2)
        for tick in (place, place + 1):
            assert ring.put(tick, np.stack([ramp(1), -ramp(1)], axis=1))
        output.span(320, place * 1280, (place + 2) * 1280)
        output.start(Feed(ring, clock.now_ns))
        assert clock.reached.wait(10.0)
        clock.ended.set()
        output.close()
        assert output.notes() == []
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 4 * 1280)
        found = np.frombuffer(file.readframes(4 * 1280), "<i2").reshape(-1, 2) / 32767.0
    np.testing.assert_allclose(found[:, 0], np.tile(ramp(1), 4), atol=1e-4)
    np.testing.assert_allclose(found[:, 1], -found[:, 0], atol=1e-4)

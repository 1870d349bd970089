"""Audio inputs: the ring that takes samples in, files and silence on a virtual clock, a device behind a fake."""

from __future__ import annotations

import types
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streaming.devices.sound import microphones
from streaming.devices.sound.inputs import RING_S, FileInput, Intake, PacedInput
from streaming.devices.sound.microphones import SoundDeviceInput
from streaming.errors import SourceError, UserError
from streaming.schema.device_kinds import MICROPHONE
from tests.unit.streaming.devices.sound.virtual_clock import SleepClock

RATE = 32_000


def ramp(count: int, first: int = 0) -> np.ndarray:
    return (first + np.arange(count)).astype(np.float32)


def tone(path: Path, rate: int, channels: int, seconds: float = 0.5) -> np.ndarray:
    """A WAV file of a tone, the same in every channel."""
    samples = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat((samples * 32767).astype("<i2"), channels).tobytes())
    return samples


def heard_from(source: PacedInput, clock: SleepClock) -> np.ndarray:
    """All that an input hands over until the clock's limit."""
    intake = Intake(source.samplerate, clock.now_ns)
    source.start(intake)
    assert clock.reached.wait(10.0)
    taken = intake.take(intake.written)
    clock.ended.set()
    source.close()
    assert taken is not None
    return taken[1]


def test_samples_come_out_in_order_whatever_the_blocks() -> None:
    intake = Intake(RATE, lambda: 0)
    rng = np.random.default_rng(0)
    given = 0
    taken: list[np.ndarray] = []
    while given < 100_000:
        count = int(rng.integers(1, 700))
        intake(ramp(count, given), 0)
        given += count
        while (part := intake.take(441)) is not None:
            assert part[0] == 441 * len(taken)
            taken.append(part[1])
    np.testing.assert_array_equal(np.concatenate(taken), ramp(441 * len(taken)))
    assert intake.lost == intake.errors == 0
    assert intake.written == given


def test_what_is_not_taken_in_time_is_lost_in_whole_ticks_and_counted() -> None:
    intake = Intake(RATE, lambda: 0)
    for block in range(int(3 * RING_S * 100)):
        intake(ramp(320, 320 * block), 0)
    position, samples = intake.take(1280) or (0, ramp(0))
    assert position == intake.lost > 0
    assert position % 1280 == 0
    np.testing.assert_array_equal(samples, ramp(1280, position))
    assert intake.written - position <= RING_S * RATE


def test_blocks_say_when_their_first_sample_had_arrived() -> None:
    now = [1000]
    intake = Intake(RATE, lambda: now[0])
    intake(ramp(100), 30)
    now[0] = 2000
    intake(ramp(100), 30, 1990)
    assert intake.drain() == [(0, 970), (100, 1960)]
    assert intake.drain() == []


def test_silence_comes_at_the_rate_of_time() -> None:
    clock = SleepClock(1.0)
    heard = heard_from(PacedInput(clock.now_ns, clock.sleep_until), clock)
    assert heard.shape[0] == pytest.approx(RATE, abs=160)
    assert not heard.any()


@pytest.mark.parametrize(("rate", "channels"), [(32_000, 1), (44_100, 2), (48_000, 1), (8_000, 1)])
def test_a_file_is_heard_as_it_is_then_silence(tmp_path: Path, rate: int, channels: int) -> None:
    wanted = tone(tmp_path / "tone.wav", rate, channels)
    clock = SleepClock(1.0)
    source = FileInput(tmp_path / "tone.wav", clock.now_ns, clock.sleep_until)
    heard = heard_from(source, clock)
    assert source.ended
    middle = heard[3200:12_800]
    assert np.sqrt((middle**2).mean()) == pytest.approx(np.sqrt((wanted**2).mean()), rel=0.01)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    assert np.argmax(spectrum) * RATE / middle.size == pytest.approx(440, abs=4)
    assert not heard[17_000:].any()


def test_what_has_no_sound_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound\n" * 50)
    with pytest.raises(SourceError, match="cannot be read"):
        FileInput(tmp_path / "text.wav")
    with av.open(str(tmp_path / "mute.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    with pytest.raises(SourceError, match="has no sound"):
        FileInput(tmp_path / "mute.mp4")
    with pytest.raises(SourceError):
        MICROPHONE.open(str(tmp_path / "missing.wav"))


def test_a_colon_in_a_name_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = tone(tmp_path / "take:1.wav", RATE, 1)
    for spec in ("take:1.wav", "file:take:1.wav", "./take:1.wav"):
        source, line = MICROPHONE.open(spec)
        assert line == ""
        assert np.abs(source.samples(12_800) - wanted[:12_800]).max() < 0.01


def test_a_file_cut_short_is_heard_to_where_it_goes(tmp_path: Path) -> None:
    tone(tmp_path / "whole.wav", RATE, 1)
    data = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[: len(data) // 2])
    clock = SleepClock(1.0)
    heard = heard_from(FileInput(tmp_path / "cut.wav", clock.now_ns, clock.sleep_until), clock)
    assert np.abs(heard[1000:7000]).max() > 0.4
    assert not heard[9000:].any()


class InputError(Exception):
    """What the fake raises."""


def fake_portaudio(names: list[str], rates: tuple[int, ...], channels: int = 2) -> types.SimpleNamespace:
    """PortAudio with inputs of these names, which open at these rates."""
    opened: list[dict[str, Any]] = []

    class InputStream:
        def __init__(self, **kwargs: Any) -> None:
            if kwargs["samplerate"] not in rates:
                raise InputError("Invalid sample rate")
            opened.append(kwargs)
            self.active, self.latency = False, 0.01

        def start(self) -> None:
            self.active = True

        def abort(self, **_: Any) -> None:
            self.active = False

        def close(self, **_: Any) -> None:
            self.active = False

    devices = [
        {"name": name, "hostapi": 0, "max_input_channels": channels, "default_samplerate": 48_000.0} for name in names
    ]
    return types.SimpleNamespace(
        PortAudioError=InputError,
        InputStream=InputStream,
        opened=opened,
        query_devices=lambda: devices,
        query_hostapis=lambda: [{"name": "FAKE", "default_input_device": 0 if names else -1}],
        default=types.SimpleNamespace(device=[-1, -1]),
    )


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(*args: Any, **kwargs: Any) -> types.SimpleNamespace:
        fake = fake_portaudio(*args, **kwargs)
        monkeypatch.setattr(microphones, "load_sounddevice", lambda: fake)
        return fake

    return install


def test_a_microphone_is_opened_at_the_best_rate_and_mixed_to_mono(portaudio: Any) -> None:
    fake = portaudio(["Line", "USB Mic"], (48_000,))
    source = SoundDeviceInput("usb")
    assert (source.name, source.samplerate) == ("USB Mic (FAKE)", 48_000)
    callback = fake.opened[0]["callback"]
    times = types.SimpleNamespace(inputBufferAdcTime=9.98, currentTime=10.0)
    callback(np.ones((64, 1), np.float32), 64, times, None)
    intake = Intake(48_000, lambda: 100_000_000)
    source.start(intake)
    assert source.alive()
    stereo = np.stack([ramp(9000), -ramp(9000) + 2.0], 1)
    callback(stereo, 9000, times, types.SimpleNamespace(input_overflow=True))
    assert source.overruns == 1
    position, samples = intake.take(9000) or (1, ramp(0))
    assert position == 0
    np.testing.assert_array_equal(samples, 1.0)
    (_, first_ns), (second, second_ns) = intake.drain()
    assert first_ns == pytest.approx(80_000_000, abs=10)
    assert (second_ns - first_ns) == pytest.approx(second / 48_000 * 1e9, abs=10)
    source.close()
    assert not source.alive()


def test_a_microphone_that_cannot_be_used_says_what_there_is(portaudio: Any) -> None:
    portaudio(["Line"], (22_050,))
    with pytest.raises(SourceError, match="0: Line"):
        SoundDeviceInput("webcam")
    with pytest.raises(SourceError, match=r"refuses 32000, 48000, 44100 Hz"):
        SoundDeviceInput("0")
    portaudio([], ())
    with pytest.raises(SourceError, match="no audio input at all"):
        SoundDeviceInput("auto")
    source, line = MICROPHONE.open("auto")
    assert type(source) is PacedInput
    assert "nothing is heard" in line
    source, line = MICROPHONE.open("none")
    assert (source.name, line) == ("none", "")


def test_a_missing_portaudio_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    with pytest.raises(UserError, match="libportaudio2"):
        SoundDeviceInput("auto")

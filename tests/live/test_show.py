"""Whole performances by the real command, in real processes, with the shipped bundle."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.registry import choose_runtime
from streaming.audio.levels import decibels
from tests.live.place import CHECKOUT, ShowFolder, output_of, wait_for

pytestmark = pytest.mark.live


def test_a_performance_is_heard_filmed_and_reported(stage: ShowFolder) -> None:
    done = stage.perform("--camera", "performer:drums@1", *output_of(stage), "--duration", "6")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report = stage.report()
    assert report["ticks"]["expected"] == 150
    assert abs(report["audio"]["samples_played"] - 6 * 32_000) <= 2 * 1_280
    assert report["ticks"]["played"] > 0
    assert report["motion_to_sound_ms"]["n"] > 0
    assert report["backend"] == choose_runtime("auto") == "onnxruntime"
    for name in ("camera", "motion", "tokens", "sound", "speaker", "recorder"):
        assert report["stages"][name]["restarts"] == 0
        assert report["stages"][name]["rss_mb_end"] > 0
    with wave.open(str(stage.folder / "out.wav")) as sound:
        assert sound.getframerate() == 32_000
        assert abs(sound.getnframes() - 6 * 32_000) <= 12 * 1_280
    assert [path.suffix for path in (stage.folder / "films").glob("*.mp4")] == [".mp4"]


@pytest.mark.parametrize("victim", ["camera", "motion", "tokens", "sound", "speaker", "recorder"])
def test_a_killed_stage_comes_back_and_the_sound_goes_on(stage: ShowFolder, victim: str) -> None:
    with stage.begin("--camera", "performer:strings@1", *output_of(stage), "--duration", "10") as show:
        wait_for(stage.sounding)
        os.kill(stage.pid_of(victim), signal.SIGKILL)
        _, errors = show.communicate(timeout=120)
    assert show.returncode == 0, errors
    report = stage.report()
    assert report["stages"][victim]["restarts"] == 1
    assert len(report["stages"][victim]["recovery_ms"]) == 1
    assert report["stages"][victim]["recovery_ms"][0] < 2_000.0
    ticks = report["ticks"]
    assert (ticks["expected"], ticks["played"] + ticks["concealed"]) == (250, 250)
    # While the process that plays is away nothing is played; that is counted as concealed.
    away = ticks["concealed"] if victim == "speaker" else 0
    assert 10 * 32_000 - (2 + away) * 1_280 <= report["audio"]["samples_played"] <= 10 * 32_000
    assert report["audio"]["underruns"] == 0


def test_ctrl_c_is_a_clean_end(stage: ShowFolder) -> None:
    with stage.begin("--camera", "performer:air@1", *output_of(stage)) as show:
        wait_for(stage.sounding)
        show.send_signal(signal.SIGINT)
        _, errors = show.communicate(timeout=60)
    assert show.returncode == 0, errors
    assert stage.report()["duration_s"] > 0


def test_a_live_control_is_set_from_another_terminal(stage: ShowFolder) -> None:
    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(CHECKOUT / "run_live.py"), "set", *words, "--run-dir", str(stage.run_dir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=stage.folder, check=False)

    nobody = ask()
    assert (nobody.returncode, nobody.stdout) == (2, "")
    assert "no show runs here" in nobody.stderr
    with stage.begin("--camera", "performer:air@1", *output_of(stage)) as show:
        wait_for(stage.sounding)
        assert ask("temperature", "0.9").stdout == "temperature is now 0.9\n"
        assert re.search(r"^temperature +0\.9 ", ask().stdout, re.MULTILINE)
        refused = ask("voice", "kazoo")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith("set voice kazoo: ")
        show.send_signal(signal.SIGINT)
        _, errors = show.communicate(timeout=60)
    assert show.returncode == 0, errors
    assert all(found["restarts"] == 0 for found in stage.report()["stages"].values())


def test_volume_and_mute_are_heard_within_a_moment_and_the_recording_has_what_was_heard(stage: ShowFolder) -> None:
    def ask(*words: str) -> None:
        command = [sys.executable, str(CHECKOUT / "run_live.py"), "set", *words, "--run-dir", str(stage.run_dir)]
        subprocess.run(command, check=True, timeout=60, cwd=stage.folder, capture_output=True)

    def seconds() -> float:
        return max(0, (stage.folder / "out.wav").stat().st_size - 44) / 64_000

    def wait(more_s: float) -> float:
        until_s = seconds() + more_s
        wait_for(lambda: seconds() >= until_s)
        return until_s

    player = ["--camera", "performer:strings@1", *output_of(stage), "--mute", "1", "--fade", "0.2"]
    with stage.begin(*player) as show:
        wait_for(stage.sounding)
        unmuted_s = wait(0.5)
        ask("mute", "0")
        softer_s = wait(5.0)
        ask("volume", "-30")
        muted_s = wait(5.0)
        ask("mute", "1")
        wait(2.0)
        show.send_signal(signal.SIGINT)
        _, errors = show.communicate(timeout=60)
    assert show.returncode == 0, errors
    with wave.open(str(stage.folder / "out.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    sound = np.asarray(samples / 32_768, np.float32)
    (film,) = (stage.folder / "films").glob("*.mp4")
    for heard in (sound, sound_of_film(film)):
        levels = [decibels(part) for part in (heard[: round(32_000 * unmuted_s)], heard[-32_000:-3_200])]
        assert max(levels) < -80.0, "silent before and after"
        loud, soft = loudest_db(heard, unmuted_s + 1.5, softer_s), loudest_db(heard, softer_s + 1.5, muted_s)
        assert loud > -25.0
        assert loud - 40.0 < soft < loud - 20.0
        assert np.abs(heard).max() <= 10 ** (-0.9 / 20)
    gauges = stage.report()["stages"]["sound"]["gauges"]
    assert gauges["limited_db.max"] >= 0.0


def loudest_db(sound: NDArray[np.float32], begin_s: float, end_s: float) -> float:
    """The level of the loudest 0.2 s of a stretch: the performer rests now and then."""
    return max(decibels(sound[at : at + 6_400]) for at in range(round(32_000 * begin_s), round(32_000 * end_s), 6_400))


def sound_of_film(path: Path) -> NDArray[np.float32]:
    """The sound of a film at 32 kHz, mono: float32 [n]."""
    with av.open(str(path)) as film:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=32_000)
        frames = [part for frame in film.decode(audio=0) for part in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32)


def hum(path: Path, seconds: int = 4) -> None:
    """A file of a saw-tooth hum."""
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(32_000)
        period = b"".join((200 * n - 10_000).to_bytes(2, "little", signed=True) for n in range(100))
        sound.writeframes(period * (320 * seconds))


@pytest.fixture
def music_to_video(stage: ShowFolder) -> list[str]:
    """The words of a short show of music to video, which needs no device."""
    stage.direction = "music-to-video"
    hum(stage.folder / "hum.wav")
    devices = ["--microphone", str(stage.folder / "hum.wav"), "--screen", "none", "--speaker", "none"]
    return [*devices, "--report", str(stage.folder / "r.json"), "--duration", "3"]


def test_a_show_of_music_to_video_says_its_own_latency_on_a_latin_1_terminal(
    stage: ShowFolder, music_to_video: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    done = stage.perform(*music_to_video)
    assert (done.returncode, done.stderr) == (0, "")
    report = stage.report()
    lines = done.stdout.splitlines()
    p50 = report["sound_to_picture_ms"]["p50"]
    closing = next(number for number, line in enumerate(lines) if " s performed; " in line)
    assert f"sound-to-picture p50 {p50:.0f} p99" in lines[closing]
    assert "motion-to-sound" not in done.stdout
    assert lines[closing + 1] == f"microphone {report['devices']['microphone']} -> screen none"
    assert lines[closing + 2] == "networks: onnxruntime"
    assert lines[-1] == f"report: {stage.folder / 'r.json'}"
    assert set(report["devices"]) == {"microphone", "screen"}
    assert {"encoder", "hearing", "painter"} <= set(report["backends"])
    assert report["silent"] == []


def test_a_show_with_a_closed_output_is_a_good_show(stage: ShowFolder, music_to_video: list[str]) -> None:
    words = " ".join(map(shlex.quote, stage.command(*music_to_video)))
    done = subprocess.run(["sh", "-c", f"{words} >&-"], stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert stage.report()["pictures"]["shown"] > 0


def test_nothing_outlives_a_killed_command(stage: ShowFolder) -> None:
    with stage.begin("--camera", "performer:air@1", *output_of(stage)) as show:
        wait_for(stage.sounding)
        show.kill()
        show.communicate(timeout=60)
    wait_for(lambda: stage.left_over() == [], 30.0)


def test_a_second_instance_is_refused_in_one_line(stage: ShowFolder) -> None:
    with stage.begin("--camera", "performer:air@1", *output_of(stage)) as show:
        wait_for(stage.sounding)
        second = stage.perform("--camera", "performer", "--speaker", "none")
        assert second.returncode == 2
        assert second.stdout == ""
        assert second.stderr.count("\n") == 1
        assert "--run-dir" in second.stderr
        show.send_signal(signal.SIGTERM)
        show.communicate(timeout=60)
    assert show.returncode == 0


def corrupt(path: Path) -> None:
    path.write_bytes(os.urandom(20_000))


def silent_film(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(32_000)
        sound.writeframes(bytes(64_000))


@pytest.mark.parametrize("make", [corrupt, silent_film, Path.touch])
def test_a_film_that_cannot_be_played_is_one_line(stage: ShowFolder, make: Callable[[Path], object]) -> None:
    film = stage.folder / "film.mp4"
    make(film)
    done = stage.perform("--camera", str(film), "--speaker", "none")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "film.mp4" in done.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ["--speaker", "no such device"],
        ["--bundle", "no-such-bundle"],
        ["--camera", "/dev/video77"],
        ["--duration", "-3"],
    ],
)
def test_bad_words_are_one_line(stage: ShowFolder, argv: list[str]) -> None:
    done = stage.perform("--camera", "performer", "--speaker", "none", *argv)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_the_doctor_finds_this_machine_able(stage: ShowFolder) -> None:
    command = [sys.executable, str(CHECKOUT / "run_live.py"), "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=stage.folder, check=False)
    assert done.returncode == 0, done.stdout
    assert "ready" in done.stdout

"""Both cores pressed by other real-time programs: what is missed least is given up in order, the sound last."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from streaming.schema.load_levels import WORDS, LoadLevel
from streaming.system.host_info import cores
from tests.faults.rig.judging import CONCEALMENT_S, longest_silence_s, sound_of
from tests.live.place import ShowFolder, output_of, wait_for

pytestmark = pytest.mark.faults
SECONDS = 36
BUSY_MS, PERIOD_MS = (12.0, 13.5, 15.0, 16.5, 18.0), 20.0
"""What the hogs take of each period: more and more, until the show gives up; how much that is depends on the cores."""
EACH_S, HELD_S = 2.0, 3.0
"""Seconds of sound under each of them, and under the one that is enough."""
BACK_S = 18.0
"""All is taken back so soon after the load has gone: 2 s for each of five levels, twice as long for one that was needed
again, and what it takes until nothing is late any more."""
HOG = """
import sys, time
busy_s, period_s = float(sys.argv[1]), float(sys.argv[2])
next_s = time.perf_counter()
while True:
    next_s = max(next_s + period_s, time.perf_counter())
    while time.perf_counter() < next_s - period_s + busy_s:
        pass
    time.sleep(max(0.0, next_s - time.perf_counter()))
"""


@contextlib.contextmanager
def part_time_hogs(busy_ms: float, period_ms: float, priority: int) -> Iterator[None]:
    """One process for each core that takes it for a part of each period, before all real-time threads below it."""
    words = ["chrt", "-f", str(priority), sys.executable, "-S", "-c", HOG, str(busy_ms / 1e3), str(period_ms / 1e3)]
    running = [subprocess.Popen(["taskset", "-c", str(core), *words]) for core in range(cores())]
    try:
        yield
        assert [process.poll() for process in running] == [None] * len(running), "the hogs ran to the end"
    finally:
        for process in running:
            process.kill()
            process.wait()


def press(place: ShowFolder, show: subprocess.Popen[str]) -> None:
    """Take more and more of both cores until the show has given up two things, and hold that for a while."""
    sound, log = place.folder / "out.wav", place.folder / "log.jsonl"

    def played_s() -> float:
        return sound.stat().st_size / 64_000 if show.poll() is None else math.inf

    def is_second_given_up() -> bool:
        return WORDS[LoadLevel.PICTURE_RATE] in log.read_text()

    def play_on(seconds: float, enough: Callable[[], bool] = lambda: False) -> None:
        until_s = played_s() + seconds
        wait_for(lambda: played_s() >= until_s or enough())

    play_on(3.0)
    for busy_ms in BUSY_MS:
        with part_time_hogs(busy_ms, PERIOD_MS, 9):
            play_on(EACH_S, is_second_given_up)
            if is_second_given_up():
                play_on(HELD_S)
                return


def test_what_is_missed_least_is_given_up_in_order_and_comes_back(place: ShowFolder) -> None:
    place.direction = "both"
    words = ["--camera", "performer:strings@1", *output_of(place), "--duration", str(SECONDS)]
    words += ["--microphone", "self", "--screen", "none", "--record", "none", "--log", str(place.folder / "log.jsonl")]
    with place.begin(*words) as show:
        wait_for(lambda: place.sounding() or show.poll() is not None)
        press(place, show)
        lines, errors = show.communicate(timeout=120)
    assert show.returncode == 0, errors
    report = json.loads((place.folder / "r.json").read_text())
    levels = [level for _, level in report["load"]["changes"]]
    highest = report["load"]["highest"]
    assert highest >= 2, report["load"]
    assert levels[:highest] == list(range(1, highest + 1)), "one after another, picture first"
    assert all(abs(after - before) == 1 for before, after in itertools.pairwise([0, *levels]))
    assert (levels[-1], report["load"]["level"]) == (0, 0), report["load"]
    first_s, last_s = report["load"]["changes"][0][0], report["load"]["changes"][-1][0]
    assert last_s - first_s <= EACH_S + HELD_S + BACK_S, report["load"]
    assert report["pictures"]["given_up"] > 0
    assert list(report["load"]["given_up_s"])[:2] == ["picture quality", "every second picture"]
    assert "given up: picture quality" in lines
    assert "given up under load: picture quality for" in lines
    # The sound is given up never: its ticks are complete, and what came late at the first blow was concealed.
    ticks = report["ticks"]
    assert ticks["expected"] == 25 * SECONDS == ticks["played"] + ticks["concealed"]
    assert ticks["concealed"] <= 25, ticks
    assert longest_silence_s(sound_of(place.folder / "out.wav")) <= CONCEALMENT_S + 2.5
    assert place.left_over() == []

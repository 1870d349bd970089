"""Both cores pressed by other real-time programs: what is missed least is given up in order, the sound last."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from streaming.system.host_info import cores
from tests.faults.rig.judging import CONCEALMENT_S, longest_silence_s, sound_of
from tests.live.place import ShowFolder, output_of, wait_for

pytestmark = pytest.mark.faults
SECONDS, PRESSED_S = 29, 6.0
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
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_what_is_missed_least_is_given_up_in_order_and_comes_back(place: ShowFolder) -> None:
    place.direction = "both"
    words = ["--camera", "performer:strings@1", *output_of(place), "--duration", str(SECONDS)]
    words += ["--microphone", "self", "--screen", "none", "--record", "none"]
    with place.begin(*words) as show:
        wait_for(lambda: place.sounding() or show.poll() is not None)
        path = place.folder / "out.wav"

        def played(seconds: float) -> bool:
            return show.poll() is not None or path.stat().st_size >= seconds * 64_000

        wait_for(lambda: played(3.0))
        with part_time_hogs(12.0, 20.0, 9):
            wait_for(lambda: played(3.0 + PRESSED_S))
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
    assert last_s - first_s <= PRESSED_S + BACK_S, report["load"]
    assert report["pictures"]["given_up"] > 0
    assert list(report["load"]["given_up_s"])[:2] == ["picture quality", "every second picture"]
    assert "given up: picture quality" in lines
    assert "given up under load: picture quality for" in lines
    # The sound is given up never: its ticks are complete, and what came late at the first blow was concealed.
    ticks = report["ticks"]
    assert ticks["expected"] == 25 * SECONDS == ticks["played"] + ticks["concealed"]
    assert ticks["concealed"] <= 25, ticks
    assert longest_silence_s(sound_of(path)) <= CONCEALMENT_S + 2.5
    assert place.left_over() == []

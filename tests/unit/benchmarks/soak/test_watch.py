"""What a soak sees of a show: latency, drift, memory and descriptors by time; and how it judges them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.soak.command import make_soak_page
from benchmarks.soak.verdicts import judge, slope_per_hour, slopes
from benchmarks.soak.watch import SoakWatch
from streaming.schema.messages import Screen, Sound, Speaker, Tokens

MS = 1_000_000


def test_a_row_has_what_was_heard_since_the_last_one(tmp_path: Path) -> None:
    (tmp_path / "speaker.pid").write_text(f"{os.getpid()}\n")
    (tmp_path / "gone.pid").write_text("999999999\n")
    now = [1_000 * MS]
    watch = SoakWatch(tmp_path, 3_600.0, lambda: now[0])
    try:
        watch.sample()
        assert watch.rows == [], "nothing before the show begins"
        for tick in range(10):
            begin = tick * 40 * MS + MS
            watch.take(Speaker(tick=tick, dac_ns=begin + 53 * MS, rate_hz=32_000 * (1 + 50e-6), played=tick))
            watch.take(Tokens(tick=tick + 2, frames=np.zeros((4, 2), np.int16)))
            pcm = np.zeros(1280, np.float32)
            watch.take(Sound(tick=tick, pcm=pcm, fresh=True, capture_ns=begin))
            watch.take(Screen(tick=tick, shown_ns=begin + 60 * MS, capture_ns=begin))
        watch.sample()
        now[0] += 5_000 * MS
        watch.sample()
    finally:
        watch.close()
    first, second = watch.rows
    assert first["forward_p50"] == pytest.approx(53.0, abs=0.01)
    assert (first["reverse_p50"], first["lead_ticks"], first["ppm"]) == (60.0, 2, 50.0)
    assert (first["played"], first["concealed"]) == (9, 0)
    assert list(first["processes"]) == ["speaker"]
    assert first["processes"]["speaker"]["rss_mb"] > 10.0
    assert (second["at_s"], second["forward_p50"]) == (5.0, None), "nothing was heard since"


def rows(mb_per_hour: float = 0.0, lead: int = 2, leak: int = 0, tail: float = 60.0) -> list[dict[str, Any]]:
    """An hour of rows; what is given is how the second half goes."""
    made = []
    for index in range(61):
        late = index > 30
        process = {"rss_mb": 100.0 + mb_per_hour * index / 60.0, "descriptors": 20 + leak * max(0, index - 30)}
        way = {"forward_p50": 50.0, "forward_p99": tail if late else 60.0, "forward_max": 70.0}
        other = dict.fromkeys(("reverse_p50", "reverse_p99", "reverse_max"))
        steady = {"played": index, "concealed": 0, "ppm": 1.0, "lead_ticks": lead if late else 2}
        made.append({"at_s": index * 60.0, **way, **other, **steady, "processes": {"sound": process}})
    return made


def report(**counts: int) -> dict[str, Any]:
    given = {"underruns": 0, "concealed": 0, "missed": 0, "restarts": 0, **counts}
    return {
        "ticks": {"concealed_after_first_second": given["concealed"]},
        "audio": {"underruns": given["underruns"]},
        "pictures": {"missed_after_first_second": given["missed"]},
        "stages": {"sound": {"restarts": given["restarts"]}},
    }


def failed(found: list[dict[str, Any]]) -> list[str]:
    return [row["criterion"] for row in found if row["passed"] is False]


def test_a_good_hour_passes_everything() -> None:
    found = judge(rows(mb_per_hour=0.5), report())
    assert failed(found) == []
    assert all(row["passed"] for row in found)


@pytest.mark.parametrize(
    ("changed", "counts", "word"),
    [
        ({"mb_per_hour": 2.0}, {}, "memory"),
        ({"lead": 3}, {}, "drift"),
        ({"leak": 1}, {}, "descriptors"),
        ({"tail": 95.0}, {}, "tail"),
        ({}, {"underruns": 1}, "underruns"),
        ({}, {"concealed": 1}, "concealed"),
        ({}, {"missed": 1}, "pictures"),
        ({}, {"restarts": 1}, "restarts"),
    ],
)
def test_each_criterion_can_fail(changed: dict[str, Any], counts: dict[str, int], word: str) -> None:
    (name,) = failed(judge(rows(**changed), report(**counts)))
    assert word in name


def test_the_memory_of_a_short_soak_is_not_judged() -> None:
    found = judge(rows(mb_per_hour=50.0)[:5], report())
    assert {row["criterion"]: row["passed"] for row in found}["memory, at most 1 MB an hour each"] is None


def test_slopes_are_of_the_second_half_only() -> None:
    points = [(float(at), 500.0 if at < 1_800 else 100.0 + at / 3_600.0) for at in range(0, 3_600, 60)]
    assert slope_per_hour(points) == pytest.approx(1.0)
    assert slope_per_hour(points[:3]) is None
    assert slopes(rows(mb_per_hour=2.0)) == {"sound": pytest.approx(2.0)}


def test_the_page_shows_the_verdicts_and_the_plot() -> None:
    found = {
        "version": "1",
        "host": {"cpu": "x", "cores": 2},
        "at": "now",
        "camera": "performer",
        "direction": "both",
        "duration_s": 3_600.0,
        "verdicts": judge(rows(lead=3), report()),
        "slopes_mb_per_hour": {"sound": 0.5},
        "rows": rows(),
    }
    page = make_soak_page(found)
    assert ("ticks of drift", "1", "FAILED") in page.sections[0].rows
    assert page.sections[1].png.startswith(b"\x89PNG")

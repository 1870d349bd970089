"""Compares what was played, shown and reported with what the faults in a show may cause."""

from __future__ import annotations

import wave
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES, TICKS_PER_SECOND

if TYPE_CHECKING:
    from tests.faults.harness import Act, Fault

CONCEALMENT_S, RECOVERY_S = 0.2, 2.0
"""The sound goes on this long without its source; a stage that died is back within this time."""
NOTICED_S = 0.5
"""A stage that stops without an end is noticed within this time."""
CLICK_RATIO = 6.0
"""A jump from one sample to the next over the largest of the 20 ms before it, or the level there: a click is more."""
CLICK_FLOOR = 0.05
"""Jumps below this part of full scale are no clicks."""
PERFORMER_RESTS_S = 2.5
"""The performer itself rests for this long at most."""
BUSY_SHARE = 0.15
"""Pictures that two busy cores may have no time for, without a fault."""
SOUND_STAGES = ("tokens", "sound", "speaker")
PICTURE_STAGES = ("tokens", "sound", "speaker", "microphone", "hearing", "flow", "scene", "picture", "screen")


@dataclass
class Happened:
    """A fault that was brought about.

    Attributes:
        fault: which.
        at_s: where in the file of sound.
        replaced_s: until all its stages had another process; None where none had to.
    """

    fault: Fault
    at_s: float
    replaced_s: float | None = None


def judge(
    act: Act, happened: list[Happened], report: dict[str, Any], sound: NDArray[np.float32] | None
) -> dict[str, Any]:
    """Compare, and give the figures of the show."""
    assert len(happened) == len(act.faults)
    assert report["duration_s"] >= act.seconds - 1.0 or act.status, "it ended before its time"
    recoveries = recoveries_of(act, happened, report)
    check_restarts(act, report)
    check_notes(act, report)
    rows = [
        {"fault": one.fault.name, "replaced_s": one.replaced_s, "stages": stages}
        for one, stages in zip(happened, recoveries, strict=True)
    ]
    if sound is not None:
        silences = check_sound(act, happened, recoveries, report, sound)
        for row, silence_s in zip(rows, silences, strict=True):
            row |= {} if act.own_gaps else {"silence_s": silence_s}
    if act.direction != "video-to-music":
        check_pictures(act, recoveries, report)
    act.checks(report)
    figures = {name: report[name] for name in ("direction", "duration_s", "ticks", "pictures", "degraded")}
    return {"act": act.name, "status": act.status, "faults": rows, **figures}


def recoveries_of(
    act: Act, happened: list[Happened], report: dict[str, Any]
) -> list[dict[str, dict[str, list[float]]]]:
    """For each fault and stage, the times in ms until it was ready and until it had published again."""
    used: defaultdict[str, int] = defaultdict(int)
    found = []
    for one in happened:
        stages = {}
        for name in one.fault.restarted if one.fault.times else ():
            stage, begin = report["stages"][name], used[name]
            used[name] += one.fault.times
            part = slice(begin, used[name])
            stages[name] = {"ready_ms": stage["recovery_ms"][part], "output_ms": stage["recovery_to_output_ms"][part]}
            assert len(stages[name]["ready_ms"]) == one.fault.times, (one.fault.name, name, stage["recovery_ms"])
            for ready_ms in stages[name]["ready_ms"]:
                assert ready_ms <= 1e3 * RECOVERY_S, (one.fault.name, name, ready_ms)
        found.append(stages)
    return found


def check_restarts(act: Act, report: dict[str, Any]) -> None:
    """Just the stages that had to were started again, and a hang was noticed in time."""
    restarted = {name for name, stage in report["stages"].items() if stage["restarts"]}
    wanted = {stage for fault in act.faults for stage in fault.restarted}
    assert wanted <= restarted <= wanted | set(act.may_restart), (restarted, report["notes"])
    for stage in {stage for fault in act.faults if fault.hangs for stage in fault.restarted}:
        said = [line for line in report["notes"] if line.startswith(f"{stage}: gave no sign of life for ")]
        assert said, (stage, report["notes"])
        for line in said:
            assert float(line.split(" s;")[0].rsplit(" ", 1)[1]) <= NOTICED_S, line


def check_notes(act: Act, report: dict[str, Any]) -> None:
    """What had to be said was said, and what was lost is in the report."""
    lines = " ".join(report["notes"])
    for part in act.notes:
        assert part in lines, (part, report["notes"])
    lost = {name for name, stage in report["stages"].items() if stage["state"] == "lost"}
    assert lost == set(act.degraded), (lost, report["degraded"])
    for stage in act.degraded:
        assert any(f"{stage}: " in line and "given up" in line for line in report["degraded"]) or act.status, stage


def check_sound(
    act: Act,
    happened: list[Happened],
    recoveries: list[dict[str, dict[str, list[float]]]],
    report: dict[str, Any],
    sound: NDArray[np.float32],
) -> list[float]:
    """The figures are true, no gap is longer than it may be, and nothing clicks. Gives the gap after each fault."""
    ticks, expected = report["ticks"], TICKS_PER_SECOND * act.seconds
    assert ticks["expected"] == expected or act.status, ticks
    assert ticks["played"] + ticks["concealed"] == ticks["expected"]
    allowed_s = sum(
        allowed(one.fault, stages, SOUND_STAGES, one.fault.concealed_s)
        for one, stages in zip(happened, recoveries, strict=True)
    )
    assert ticks["concealed"] <= TICKS_PER_SECOND * allowed_s + 10, (ticks, allowed_s)
    # Gaps in the file itself cannot be heard: its length is the show's, and what was not played is counted.
    if not act.status:
        assert abs(len(sound) - act.seconds * SAMPLE_RATE) <= (ticks["concealed"] + 12) * TICK_SAMPLES
    assert clicks_in(sound) == []
    ends = [*(round(one.at_s * SAMPLE_RATE) for one in happened[1:]), len(sound)]
    silences = []
    for one, end in zip(happened, ends, strict=True):
        silences.append(longest_silence_s(sound[max(0, round(one.at_s * SAMPLE_RATE) - SAMPLE_RATE // 2) : end]))
        assert silences[-1] <= one.fault.silence_s + PERFORMER_RESTS_S or act.own_gaps, (one.fault.name, silences)
    return silences


def check_pictures(act: Act, recoveries: list[dict[str, dict[str, list[float]]]], report: dict[str, Any]) -> None:
    """As many pictures were missed as the faults and the cores explain."""
    pictures = report["pictures"]
    assert pictures["shown"] + pictures["missed"] == pictures["expected"]
    assert abs(pictures["expected"] - TICKS_PER_SECOND * act.seconds) <= TICKS_PER_SECOND * RECOVERY_S, pictures
    allowed_s = sum(
        allowed(fault, stages, PICTURE_STAGES, fault.missed_s)
        for fault, stages in zip(act.faults, recoveries, strict=True)
    )
    assert pictures["missed"] <= TICKS_PER_SECOND * allowed_s + BUSY_SHARE * pictures["expected"] + 10, (
        pictures,
        allowed_s,
    )


def allowed(
    fault: Fault, stages: dict[str, dict[str, list[float]]], concerned: tuple[str, ...], beside_s: float
) -> float:
    """Seconds that a fault may cost: until its stages publish again, and what its row allows beside that."""
    back_ms = [
        max([*times["ready_ms"], *times["output_ms"], 0.0]) for name, times in stages.items() if name in concerned
    ]
    noticed_s = NOTICED_S + 0.2 if fault.hangs else 0.1
    return beside_s + fault.times * (max(back_ms, default=0.0) / 1e3 + noticed_s if back_ms else 0.0)


def sound_of(path: Path) -> NDArray[np.float32]:
    """A sound file's samples; also of one whose header was never finished."""
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE, 1, 2)
    data = path.read_bytes()[44:]
    return np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / 32_768.0


def longest_silence_s(sound: NDArray[np.float32]) -> float:
    """The longest stretch below -80 dBFS after the first sound."""
    loud = np.flatnonzero(np.abs(sound) > 1e-4)
    if len(loud) == 0:
        return len(sound) / SAMPLE_RATE
    gaps = np.diff(np.append(loud, len(sound)))
    return round(float(gaps.max()) / SAMPLE_RATE, 3)


def clicks_in(sound: NDArray[np.float32]) -> list[float]:
    """The times in seconds at which a sample jumps by more than the sound around it explains."""
    jumps = np.abs(np.diff(sound))
    window = SAMPLE_RATE // 50
    count = len(jumps) // window
    if count < 3:
        return []
    blocks = jumps[: count * window].reshape(count, window)
    typical = np.sort(blocks, axis=1)[:, -window // 20]
    around = np.maximum(np.maximum(np.roll(typical, 1), typical), np.roll(typical, -1))
    level = np.abs(sound[: count * window]).reshape(count, window).max(axis=1)
    allowed = np.maximum(np.maximum(CLICK_RATIO * around, level * 0.5), CLICK_FLOOR)
    found = np.flatnonzero(blocks.max(axis=1) > allowed)
    return [round(float(block) / 50, 2) for block in found]

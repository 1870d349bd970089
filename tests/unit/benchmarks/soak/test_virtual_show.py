"""A show on the virtual clock counts every tick and every sample, and a fault in it is seen."""

from __future__ import annotations

from benchmarks.soak.verdicts import judge_counts
from benchmarks.soak.virtual_show import BLOCK, VirtualShow


def test_every_tick_and_sample_is_counted_and_nothing_drifts() -> None:
    show = VirtualShow(hours=0.02)
    show.run()
    show.close()
    assert show.finished, "the speaker ended the show"
    counts = show.counts()
    assert (counts["ticks_expected"], counts["ticks_played"], counts["ticks_concealed"]) == (1_800, 1_800, 0)
    assert counts["samples_played"] == 1_800 * 1_280
    assert counts["pictures_shown"] >= 1_799
    assert all(row["passed"] is not False for row in judge_counts(counts, []))


def test_the_device_runs_at_its_own_rate() -> None:
    show = VirtualShow(hours=0.02)
    begun_ns = show.now_ns
    show.run()
    wanted_ns = show.device.blocks * BLOCK * 1e9 / (48_000 * (1.0 + 83e-6))
    assert abs(show.now_ns - begun_ns - wanted_ns) < 50_000_000


def test_sound_that_does_not_come_is_counted_as_concealed() -> None:
    show = VirtualShow(hours=0.02)
    sound = show.hosts["sound"]
    taken: list[int] = []
    put = sound.put

    def lose(message: object) -> bool:
        taken.append(1)
        return len(taken) % 100 != 0 and put(message)  # type: ignore[arg-type]

    sound.put = lose  # type: ignore[method-assign]
    show.run()
    counts = show.counts()
    assert counts["ticks_concealed"] >= 15
    assert counts["gaps"] >= 15
    assert any(row["passed"] is False for row in judge_counts(counts, []))

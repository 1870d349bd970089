"""Statistics that count what was missed, and verdicts on either side of each bound."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.latency.figures import agreement, forward_verdicts, reverse_verdicts, summarise


def test_a_summary_leaves_no_trial_out() -> None:
    found = summarise([*np.arange(1.0, 100.0), 1_000.0, None])
    assert (found["n"], found["missed"], found["max"], found["min"]) == (100, 1, 1_000.0, 1.0)
    assert found["p50"] == pytest.approx(50.5)
    assert found["jitter"] == pytest.approx(found["p95"] - found["p5"])


def test_nothing_measured_is_null_and_not_zero() -> None:
    found = summarise([None, None])
    assert (found["n"], found["missed"], found["p50"], found["jitter"]) == (0, 2, None, None)
    assert agreement([None])["agrees"] is None


def test_stamps_agree_up_to_five_milliseconds_at_the_median() -> None:
    assert agreement([4.0, 4.9, -30.0])["agrees"] is True
    assert agreement([4.0, 4.9, -30.0])["within_5_ms"] == pytest.approx(2 / 3, abs=1e-3)
    assert agreement([-6.0, -7.0, 1.0])["agrees"] is False


@pytest.mark.parametrize(
    ("p50", "jitter", "words"),
    [
        (9.0, 2.0, ("as good as none", "not noticed without touch", "not detected as late")),
        (9.0, 9.0, ("jitters", "not noticed", "not detected")),
        (25.0, 2.0, ("worse than none", "just noticeable", "not detected")),
        (130.0, 2.0, ("worse than none", "noticed without touch: 130", "detected as late")),
    ],
)
def test_verdicts_forward(p50: float, jitter: float, words: tuple[str, ...]) -> None:
    found = forward_verdicts({"p50": p50, "jitter": jitter})
    for row, word in zip(found, words, strict=True):
        assert row["verdict"].startswith(word) or word in row["verdict"]
        assert row["source"]


def test_verdicts_reverse() -> None:
    assert reverse_verdicts({"p50": 44.0})[0]["verdict"].startswith("not detected")
    assert reverse_verdicts({"p50": 46.0})[0]["verdict"].startswith("detected")
    assert reverse_verdicts({"p50": None}) == []

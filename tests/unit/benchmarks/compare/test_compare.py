"""What is compared is timed in turns, and what is not here is left out with its reason."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from benchmarks.compare import steps
from benchmarks.compare.adapters import INSTRUMENTS, STEPS, StepAdapter
from benchmarks.compare.command import WARM_UP, compare_steps, make_page
from benchmarks.compare.hand_mapping import HandMapping
from benchmarks.compare.steps import NotHereError
from benchmarks.latency.figures import summarise
from benchmarks.result_files import to_html
from benchmarks.rig.flash_camera import FlashScene
from benchmarks.rig.null_instrument import BrightMiddle
from streaming.vision.eyes.person import Person


def test_steps_take_turns_and_each_is_timed_as_often() -> None:
    order: list[str] = []

    def missing() -> Any:
        raise NotHereError("no such package")

    adapters = (
        StepAdapter("a", "first", lambda: lambda: order.append("a")),
        StepAdapter("gone", "second", missing, 40.0),
        StepAdapter("b", "third", lambda: lambda: order.append("b"), 80.0),
    )
    first, gone, last = compare_steps(7, adapters)
    assert order == ["a", "b"] * (7 + WARM_UP)
    assert first["ms"]["n"] == last["ms"]["n"] == 7
    assert (gone["ms"], gone["skipped"]) == (None, "no such package")
    assert last["wait_ms"] == 80.0


def test_a_package_that_is_missing_or_fails_is_a_reason() -> None:
    with pytest.raises(NotHereError, match="no_such_package is not installed"):
        steps.need("no_such_package")
    with pytest.raises(NotHereError, match="Mimi: ZeroDivisionError"), steps.refused("Mimi"):
        _ = 1 / 0


def test_opencv_flows_see_the_motion_of_the_frames_that_all_are_given() -> None:
    for step in (steps.open_dis(1), steps.open_farneback()):
        flow = np.asarray(step())
        assert flow.shape == (256, 256, 2)
        assert np.median(flow[32:-32, 32:-32, 1]) == pytest.approx(3.0, abs=0.5)


class SeenHands:
    """Eyes that see one hand at the given heights, one after another."""

    def __init__(self, heights: list[float]) -> None:
        self._heights = iter(heights)

    def look(self, frame: np.ndarray, now_ns: int) -> Person:
        person = Person()
        person.hands[1, :, 1] = next(self._heights)
        person.hands[1, :, 2] = 1.0
        return person


def test_a_hand_that_falls_and_stops_strikes() -> None:
    dark = FlashScene().frame(0, lit=False)
    mapping = HandMapping(SeenHands([0.3, 0.3, 0.35, 0.42, 0.42, 0.42, 0.3]))  # type: ignore[arg-type]
    assert [mapping(dark) for _ in range(7)] == [False, False, False, False, True, False, False]


def test_the_flash_is_answered_once_by_its_first_frame() -> None:
    scene, responder = FlashScene(), BrightMiddle()
    lit = [False, True, True, True, False, True]
    assert [responder(scene.frame(index, is_lit)) for index, is_lit in enumerate(lit)] == [
        False,
        True,
        False,
        False,
        False,
        True,
    ]


def test_every_row_of_the_table_can_be_named_and_opened_by_name() -> None:
    names = [row.name for row in (*INSTRUMENTS, *STEPS)]
    assert len(names) == len(set(names))
    for row in INSTRUMENTS:
        if row.responder:
            assert callable(importlib.import_module(row.responder).build)


def test_the_page_has_what_was_measured_and_why_the_others_are_left_out() -> None:
    summary = summarise([1.0, 2.0])
    found = {
        "version": "1",
        "host": {"cpu": "x", "cores": 2, "gpu": None},
        "at": "now",
        "instruments": [
            {"name": "null", "skipped": "", "forward": {"changed_ms": summary, "frame_to_sound_ms": summary}},
            {"name": "hands", "skipped": "no eyes", "forward": None},
        ],
        "steps": [
            {"name": "DIS", "words": "flow", "ms": summary, "wait_ms": 0.0, "skipped": ""},
            {"name": "Mimi", "words": "sound", "ms": None, "wait_ms": 40.0, "skipped": "moshi is not installed"},
        ],
    }
    text = to_html(make_page(found))
    for words in ("null: light to first sample", "no eyes", "moshi is not installed", "DIS"):
        assert words in text

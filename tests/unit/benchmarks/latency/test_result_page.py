"""The page of a latency bench shows what was measured, also with an LED and where nothing was answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.latency.command import figures_of, trials_of, without_trials
from benchmarks.latency.figures import forward_result, reverse_result
from benchmarks.latency.measurement import WITHIN, bench_show
from benchmarks.latency.result_page import make_page
from benchmarks.result_files import to_html, to_markdown
from benchmarks.rig.trial_plan import TrialPlan
from streaming.settings.config import Show
from streaming.settings.options import parse


def forward(count: int, led: bool = False) -> list[dict[str, Any]]:
    names = ("changed_ms", "onset_ms", *WITHIN)
    trials = [dict.fromkeys(names, 50.0 + index) | {"event_ns": index, "peak": 0.5} for index in range(count)]
    return [{**trial, "changed_ms": None, **dict.fromkeys(WITHIN)} for trial in trials] if led else trials


def reverse(count: int) -> list[dict[str, Any]]:
    names = ("changed_ms", "wait_ms", "stamps_ms", "external_minus_stamps_ms", "tick_to_picture_ms")
    return [dict.fromkeys(names, 1.0 + index) | {"at_rest_before": index > 0} for index in range(count)]


def result(led: bool = False, answered: int = 8) -> dict[str, Any]:
    floor = {"forward": forward_result(forward(8), 8), "reverse": reverse_result(reverse(8), 8)}
    conditions: dict[str, Any] = dict.fromkeys(
        ("camera", "camera_hz", "camera_in_step", "exposure", "kernel_stamps", "audio_device", "audio_rate_hz")
    )
    conditions |= dict.fromkeys(("audio_period_frames", "audio_device_ms", "recorder_lost_samples", "stolen_percent"))
    counts = {"played": 1, "expected": 1, "underruns": 0, "missed_after_first_second": 0, "p50": 53.7, "p99": 60.0}
    return {
        "version": "1",
        "at": "now",
        "host": {"cpu": "x", "cores": 2, "gpu": None},
        "finished": True,
        "direction": "both",
        "bundle": "default",
        "backend": "onnxruntime",
        "floor": None if led else floor,
        "forward": forward_result(forward(answered, led), 8),
        "reverse": None if led else reverse_result(reverse(answered), 8),
        "conditions": {**conditions, "led": led, "trials": 8, "load_1_5_15": [1.0, 2.0, 3.0], "kept_awake": True},
        "report": dict.fromkeys(("ticks", "audio", "pictures", "motion_to_sound_ms"), counts),
    }


def test_the_page_has_both_ways_the_floor_the_stamps_and_two_plots() -> None:
    page = make_page(result())
    text = to_html(page)
    for words in ("Light to sound", "Sound to light", "null instrument", "the show&#x27;s stamps", "Jack, Mehrabi"):
        assert words in text
    assert text.count("data:image/png;base64,") == 2
    assert "In 1 trials the picture still moved" in text
    assert "1.00, 2.00, 3.00" in text


def test_a_show_that_was_ended_early_says_so() -> None:
    assert "ended before its last trial" in to_html(make_page({**result(), "finished": False}))
    assert "ended before its last trial" not in to_html(make_page(result()))


def test_stamps_that_do_not_agree_are_said_to() -> None:
    assert "do NOT agree" in to_markdown(make_page(result()))


def test_with_an_led_only_the_heard_onset_is_shown() -> None:
    text = to_markdown(make_page(result(led=True)))
    assert "| light to heard onset | 8 | 0 |" in text
    assert "first changed sample (" not in text
    assert "outside less stamps" not in text
    assert "53.7, 60.0" in text, "what the stamps say stands in the conditions"
    assert list(figures_of(result(led=True))) == ["forward onset_ms p50", "forward onset_ms p99"]


def test_trials_that_never_were_are_missed_and_without_any_the_page_is_made_all_the_same() -> None:
    found = result(answered=0)
    assert found["forward"]["onset_ms"]["missed"] == found["reverse"]["changed_ms"]["missed"] == 8
    assert "| light to heard onset | 0 | 8 |" in to_markdown(make_page(found))
    assert figures_of(found)["forward frame_to_sound_ms p50"] is None


def test_the_show_that_is_measured_has_the_benchs_edges_and_all_else_as_asked() -> None:
    plan = TrialPlan(folder="", flashes_s=[10.0], impulses_s=[12.0])
    show = bench_show(Show(bundle="other", camera="0", speaker="3"), plan, Path("/r"))
    assert (show.camera, show.screen, show.bundle, show.links.run_dir) == ("performer", "none", "other", "/r")
    assert show.speaker == show.microphone == "system JACK"
    assert show.duration_s == pytest.approx(13.5)
    plan = TrialPlan(folder="", flashes_s=[1.0], impulses_s=[], led=True)
    led = bench_show(Show(camera="0", speaker="3"), plan, Path("/r"))
    assert (led.camera, led.speaker) == ("0", "3")


def test_as_many_trials_as_fit_into_the_seconds_that_are_given() -> None:
    assert trials_of(parse(["bench", "latency", "--seconds", "60"])) == 15
    assert trials_of(parse(["bench", "latency", "--seconds", "60", "--trials", "3"])) == 3
    assert trials_of(parse(["bench", "latency", "--seconds", "2"])) == 1
    assert trials_of(parse(["bench", "latency"])) == 500


def test_what_is_kept_has_the_figures_and_not_each_trial() -> None:
    kept = without_trials(result())
    assert kept["forward"]["onset_ms"]["n"] == 8
    assert "trials" not in kept["forward"]
    assert kept["conditions"]["trials"] == 8

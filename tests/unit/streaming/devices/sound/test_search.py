"""The search for a sound device that has gone, and what shows that one has."""

from __future__ import annotations

import threading
import types

import pytest

from streaming.devices.sound.search import (
    CLOSE_S,
    STALLED_LOOKS,
    STALLED_NS,
    DeviceFinder,
    DeviceSearch,
    Pulse,
    close_stream,
)
from streaming.errors import DeviceLostError, UserError
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from streaming.timing.clock import now_ns


def wait_for(condition: threading.Event) -> None:
    assert condition.wait(10.0)


def test_a_device_is_tried_until_it_opens_whatever_its_driver_raises() -> None:
    errors = [UserError("is gone", "card", "plug it in"), RuntimeError("a driver's error"), None]
    done = threading.Event()

    def attempt() -> str:
        error = errors.pop(0)
        if error is not None:
            raise error
        done.set()
        return "the device"

    search = DeviceSearch(attempt, retry_s=0.01)
    wait_for(done)
    while (found := search.take()) is None:
        threading.Event().wait(0.01)
    assert found == "the device"
    assert search.failed
    assert search.take() is None
    search.close()


def test_an_attempt_that_hangs_holds_up_nothing() -> None:
    hold = threading.Event()
    search = DeviceSearch(lambda: hold.wait(30.0))
    began_ns = now_ns()
    assert search.take() is None
    search.close()
    assert now_ns() - began_ns < 2_000_000_000 * CLOSE_S
    hold.set()


def test_a_device_that_cannot_be_started_once_found_has_gone_again() -> None:
    notes: list[str] = []
    context = Context(Show(), Metrics(), memo={}, note=notes.append)
    DeviceFinder(context, lambda device: device, "").keep("card", "Card (ALSA)")
    finder = DeviceFinder(context, lambda device: device, "the show goes on")

    def use(device: str) -> None:
        raise UserError("cannot be started", device, "choose another")

    def look() -> None:
        for _ in range(1_000):
            finder.find(5, use)
            threading.Event().wait(0.01)

    with pytest.raises(DeviceLostError):
        look()
    assert notes == ["Card (ALSA) has gone; the show goes on, and it is looked for until it is back"]
    assert context.memo["lost_ns"] == 5
    finder.close()


def test_a_device_that_no_longer_calls_has_stopped_but_not_for_a_process_that_slept() -> None:
    now = 0
    pulse = Pulse(lambda: now)
    assert pulse.beats(1)
    now += 10 * STALLED_NS
    assert pulse.beats(1), "looked at once in all this time: this process was suspended"
    assert pulse.beats(2)
    for _ in range(STALLED_LOOKS):
        assert pulse.beats(2)
        now += STALLED_NS // STALLED_LOOKS
    assert not pulse.beats(2)
    assert pulse.beats(3)


def test_a_stream_whose_server_is_dead_does_not_hold_up_the_end() -> None:
    hold = threading.Event()
    sd = types.ModuleType("sounddevice")
    stream = types.SimpleNamespace(abort=lambda ignore_errors: hold.wait(30.0), close=lambda ignore_errors: None)
    began_ns = now_ns()
    close_stream(sd, stream)
    close_stream(sd, stream, dead=True)
    assert now_ns() - began_ns < 2_000_000_000 * CLOSE_S
    hold.set()

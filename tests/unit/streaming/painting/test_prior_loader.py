"""Priors that are read aside: each arrives once, the last one asked for counts, and what is wrong is raised."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import wait
from threading import Event

import numpy as np
import pytest

from streaming.errors import SourceError
from streaming.painting.prior_loader import PriorLoader


def test_an_image_arrives_once_with_its_path() -> None:
    reader = PriorLoader(lambda path: np.full((2, 2, 3), len(path), np.uint8))
    assert reader.arrived() is None
    reader.ask("abc")
    assert reader.coming is not None
    wait([reader.coming], 5.0)
    arrived = reader.arrived()
    assert arrived is not None
    assert (arrived[0], int(arrived[1][0, 0, 0])) == ("abc", 3)
    assert reader.arrived() is None
    reader.close()


def test_the_last_one_asked_for_counts() -> None:
    go = Event()

    def read(path: str) -> np.ndarray:
        go.wait(5.0)
        return np.zeros((1, 1, 3), np.uint8)

    reader = PriorLoader(read)
    for path in ("one", "two", "three"):
        reader.ask(path)
    assert reader.arrived() is None, "still being read"
    go.set()
    assert reader.coming is not None
    wait([reader.coming], 5.0)
    arrived = reader.arrived()
    assert arrived is not None
    assert arrived[0] == "three"
    reader.close()


def test_what_cannot_be_read_is_raised_and_another_can_be_asked_for() -> None:
    def read(path: str) -> np.ndarray:
        raise SourceError("is no picture", path, "give another")

    reader = PriorLoader(read)
    reader.ask("bad")
    assert reader.coming is not None
    wait([reader.coming], 5.0)
    with pytest.raises(SourceError, match="no picture"):
        reader.arrived()
    assert reader.arrived() is None
    reader.close()


@pytest.mark.skipif(not hasattr(os, "SCHED_FIFO"), reason="no real-time scheduling here")
def test_a_prior_is_read_without_the_stages_real_time_priority() -> None:
    found: list[int] = []

    def stage() -> None:
        with contextlib.suppress(OSError):  # without the privilege a stage has none either
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # noqa: TID251
        reader = PriorLoader(lambda path: os.sched_getscheduler(0))
        reader.ask("one.png")
        assert reader.coming is not None
        found.append(reader.coming.result(10))
        reader.close()

    thread = threading.Thread(target=stage)
    thread.start()
    thread.join(20)
    assert found == [os.SCHED_OTHER]

"""Priors loaded beside the stage: each is taken once, the newest counts, and one that hangs holds up nothing."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from streaming.errors import SourceError
from streaming.painting.prior_loader import MAX_RUNNING, TIME_LIMIT_NS, LoadResult, PriorLoader

CHECKOUT = Path(__file__).resolve().parents[4]


class Loads:
    """A loader of path lengths; the path "slow" takes until it may go on."""

    def __init__(self, read: Callable[[str], int] | None = None) -> None:
        self.may, self.woken = threading.Event(), threading.Event()
        self.loader = PriorLoader(read or self.read, self.woken.set)

    def read(self, path: str) -> int:
        if path.startswith("slow"):
            self.may.wait(20.0)
        if path == "bad":
            raise SourceError("is no picture", path, "give another")
        return len(path)

    def taken(self) -> LoadResult[int]:
        assert self.woken.wait(10.0)
        self.woken.clear()
        load = self.loader.take(0)
        assert load is not None
        return load


def test_an_image_is_taken_once_and_the_stage_is_woken_for_it() -> None:
    loads = Loads()
    assert loads.loader.take(0) is None
    assert loads.loader.deadline_ns is None
    assert loads.loader.request("abc", 7) is None
    assert loads.loader.deadline_ns == 7 + TIME_LIMIT_NS
    load = loads.taken()
    assert (load.path, load.value, load.error) == ("abc", 3, None)
    assert loads.loader.take(0) is None


def test_the_newest_request_counts_and_the_one_it_replaces_is_told() -> None:
    loads = Loads()
    loads.loader.request("slow", 0)
    replaced = loads.loader.request("two", 0)
    assert replaced is not None
    assert "replaced" in str(replaced.error)
    assert replaced.path == "slow"
    assert loads.taken().path == "two", "which did not wait for the first"
    loads.may.set()
    assert loads.loader.take(2 * TIME_LIMIT_NS) is None, "what the first made is not wanted any more"


def test_what_cannot_be_loaded_says_so_and_another_can_be_requested() -> None:
    loads = Loads()
    loads.loader.request("bad", 0)
    assert "is no picture" in str(loads.taken().error)
    loads.loader.request("abc", 0)
    assert loads.taken().value == 3
    with pytest.raises(SourceError, match="no picture"):
        loads.loader.load("bad")
    assert loads.loader.load("abcd") == 4


def test_an_error_that_nobody_expected_is_one_line_too() -> None:
    def fail(path: str) -> int:
        raise ZeroDivisionError("deep inside")

    loads = Loads(fail)
    loads.loader.request("odd.png", 0)
    assert str(loads.taken().error) == "odd.png: cannot be read (ZeroDivisionError: deep inside); give another image"


def test_a_load_that_hangs_is_abandoned_and_the_next_one_works() -> None:
    loads = Loads()
    loads.loader.request("slow", 5)
    assert loads.loader.take(TIME_LIMIT_NS + 4) is None
    load = loads.loader.take(TIME_LIMIT_NS + 5)
    assert load is not None
    assert "was not read within 30 s" in str(load.error)
    loads.loader.request("abc", 0)
    assert loads.taken().value == 3
    loads.may.set()


def test_the_wait_for_a_load_has_the_limit_that_is_given() -> None:
    loads = Loads()
    with pytest.raises(SourceError, match=r"was not read within 0\.05 s"):
        loads.loader.load("slow", 50_000_000)
    loads.may.set()
    assert loads.loader.load("four") == 4


def test_not_too_many_may_hang_at_once() -> None:
    loads = Loads()
    for number in range(MAX_RUNNING):
        loads.loader.request(f"slow{number}", 0)
    loads.loader.request("abc", 0)
    load = loads.loader.take(0)
    assert load is not None
    assert f"{MAX_RUNNING} others still are" in str(load.error)
    loads.may.set()


def test_the_end_of_the_process_does_not_wait_for_a_load_that_hangs() -> None:
    program = (
        "import threading; from streaming.painting.prior_loader import PriorLoader;"
        "PriorLoader(lambda path: threading.Event().wait(60)).request('hangs', 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, timeout=30, check=False)
    assert done.returncode == 0


@pytest.mark.skipif(not hasattr(os, "SCHED_FIFO"), reason="no real-time scheduling here")
def test_a_prior_is_loaded_without_the_stages_real_time_priority() -> None:
    found: list[int] = []

    def run_stage() -> None:
        with contextlib.suppress(OSError):  # without the privilege a stage has none either
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # noqa: TID251
        found.append(PriorLoader(lambda path: os.sched_getscheduler(0)).load("one.png"))

    thread = threading.Thread(target=run_stage)
    thread.start()
    thread.join(20)
    assert found == [os.SCHED_OTHER]

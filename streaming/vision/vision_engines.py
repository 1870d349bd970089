"""Opens the networks that read motion from frames, and replaces a flow network that is too slow for the camera."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from engines.contract import Engine, EngineError
from engines.registry import open_engine
from streaming.errors import BundleError
from streaming.settings.config import Show
from streaming.system.host_info import cores, threads_for
from streaming.system.realtime import leave_realtime
from streaming.timing.clock import now_ns
from streaming.vision.frame_features import VIEW_SIDE

FRAME_MS = 40.0
"""The time of one frame at 25 a second. A slower flow reads fewer frames, each later by what it takes."""
UNUSABLE_MS = {"cpu": FRAME_MS, "cuda": 200.0}
"""OpenCV's flow is used instead of a network slower than this on its device. Nobody can play at five frames a second,
and a network that never rests takes the cores from everything else: on two cores RAFT-small, at 143 ms, left 4 frames
and 3 pictures a second of 25."""
_WARM_UP_STEPS, _STEPS = 2, 3


def open_vision_engines(
    show: Show, note: Callable[[str], None], clock: Callable[[], int] = now_ns
) -> tuple[Engine, Engine]:
    """Open the flow and the embedding of a show.

    Args:
        show: the settings of the performance.
        note: says one line to the user.
        clock: gives the time in ns.

    Raises:
        BundleError: when one of them cannot be opened or run.
    """
    try:
        opener = functools.partial(
            open_engine, bundle=show.bundle, backend=show.backend, tell=note, calm=leave_realtime
        )
        flow = opener("flow")
        embedding = opener("embedding", threads=threads_for(show.direction, cores()))
        if flow.spec.runtime != "opencv":
            flow = fast_enough(flow, note, clock)
    except EngineError as error:
        raise BundleError(str(error), "", "run: python run_live.py doctor") from error
    return flow, embedding


def fast_enough(flow: Engine, note: Callable[[str], None], clock: Callable[[], int] = now_ns) -> Engine:
    """The flow itself if it is fast enough to play with, else OpenCV's; a note says that it is slow.

    Raises:
        EngineError: when it cannot be run.
    """
    took_ms = measure_ms(flow, clock)
    what = f"the bundle's flow network takes {took_ms:.0f} ms a frame on {flow.spec.device}"
    if took_ms > UNUSABLE_MS.get(flow.spec.device, FRAME_MS):
        note(f"{what}, too slow to play with: OpenCV's flow is used; a GPU or a smaller network makes it fast enough")
        return open_engine("flow", backend="opencv")
    if took_ms > FRAME_MS:
        note(f"{what}, more than a frame's {FRAME_MS:.0f}: motion is read {1000.0 / took_ms:.0f} times a second, later")
    return flow


def measure_ms(flow: Engine, clock: Callable[[], int] = now_ns) -> float:
    """Median time in ms that a flow takes for a pair of views on this machine, once it is warm."""
    chance = np.random.default_rng(0)
    shape = (VIEW_SIDE, VIEW_SIDE, 3) if flow.spec.config.get("colour") else (VIEW_SIDE, VIEW_SIDE)
    previous, current = (chance.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
    took = []
    for _ in range(_WARM_UP_STEPS + _STEPS):
        begun = clock()
        flow.step(previous=previous, current=current)
        took.append((clock() - begun) / 1e6)
    return float(np.median(took[_WARM_UP_STEPS:]))

"""Cuts the way of a tick, and of a picture, into segments that add up to its latency."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from benchmarks.budget.tick_log import PicturePath, TickPath
from streaming.conventions import TICK_NS


class Segment(NamedTuple):
    """A part of the way.

    Attributes:
        name: what happens.
        kind: wait, transfer, compute, queue, margin or device.
        stage: in which process; "" for between two.
    """

    name: str
    kind: str
    stage: str


FORWARD = (
    Segment("the frame reaches the camera stage and is published", "transfer", "camera"),
    Segment("flow, eyes and embedding read it", "compute", "motion"),
    Segment("the motion waits until its tick is latched", "queue", ""),
    Segment("gesture and translator make tokens", "compute", "tokens"),
    Segment("the decoder makes sound", "compute", "sound"),
    Segment("the sound waits in the ring: the latch's margin", "margin", "speaker"),
    Segment("the audio device's buffer", "device", "speaker"),
    Segment("limiter and resampler look ahead", "device", "sound"),
)
REVERSE = (
    Segment("the tick fills: 40 ms of sound", "wait", "microphone"),
    Segment("the sound reaches the microphone stage and is published", "transfer", "microphone"),
    Segment("the encoder hears it", "compute", "hearing"),
    Segment("the drive moves the springs", "compute", "flow"),
    Segment("the picture is drawn", "compute", "picture"),
    Segment("the screen shows it", "transfer", "screen"),
)
KINDS = ("wait", "transfer", "compute", "queue", "margin", "device")


def cut_tick(path: TickPath, device_ns: int, resampler_ns: int) -> list[float] | None:
    """The segments `FORWARD` of a tick in ms; None where a stamp is missing.

    Args:
        path: the tick.
        device_ns: what the audio device's buffer takes.
        resampler_ns: what the resampler to the device's rate takes.
    """
    stamps = path.stamps
    if not {"camera", "motion", "tokens", "sound"} <= stamps.keys():
        return None
    points = [path.capture_ns, stamps["camera"], stamps["motion"], path.latch_ns, stamps["tokens"], stamps["sound"]]
    points += [path.dac_ns - device_ns, path.dac_ns]
    points.append(path.dac_ns + resampler_ns + path.capture_ns - path.sound_capture_ns)
    return _parts(points)


def cut_picture(path: PicturePath) -> list[float] | None:
    """The segments `REVERSE` of a picture in ms; None where a stamp is missing."""
    stamps = path.stamps
    if not {"microphone", "hearing", "flow", "picture"} <= stamps.keys() or not path.capture_ns:
        return None
    names = ("microphone", "hearing", "flow", "picture")
    return _parts([path.capture_ns, path.capture_ns + TICK_NS, *(stamps[name] for name in names), path.shown_ns])


def _parts(points: list[int]) -> list[float]:
    return [(after - before) / 1e6 for before, after in itertools.pairwise(points)]

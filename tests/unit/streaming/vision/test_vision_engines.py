"""A flow that is too slow for the camera is said, and one that nobody could play with is not used."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest

from engines.contract import EngineSpec
from streaming.conventions import EMBEDDING_DIM
from streaming.settings.config import Show
from streaming.vision import vision_engines
from streaming.vision.vision_engines import fast_enough, measure_ms, open_vision_engines

MS = 1_000_000


class FakeFlow:
    """A network that is shown colours."""

    def __init__(self, device: str = "cpu") -> None:
        self.spec = EngineSpec("flow", "onnxruntime", device, config={"colour": True})
        self.shapes: list[tuple[int, ...]] = []

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.shapes.append(inputs["previous"].shape)
        return {"flow": np.zeros((2, 256, 256), np.float32)}

    def reset(self) -> None:
        pass


def clock(took_ms: float) -> Any:
    """A clock that goes on by so much at every second look."""
    looks = count()
    return lambda: int((next(looks) + 1) // 2 * took_ms * MS)


@pytest.mark.parametrize(
    ("device", "took_ms", "kept", "words"),
    [
        ("cpu", 8.0, True, ""),
        ("cpu", 80.0, False, "takes 80 ms a frame on cpu, too slow to play with: OpenCV's flow is used"),
        ("cuda", 8.0, True, ""),
        ("cuda", 80.0, True, "motion is read 12 times a second"),
        ("cuda", 550.0, False, "OpenCV's flow is used"),
    ],
)
def test_what_happens_with_a_slow_one(device: str, took_ms: float, kept: bool, words: str) -> None:
    notes: list[str] = []
    flow = FakeFlow(device)
    found = fast_enough(flow, notes.append, clock(took_ms))
    assert (found is flow) == kept
    assert found.spec.runtime == ("onnxruntime" if kept else "opencv")
    assert len(notes) == bool(words)
    assert words in "".join(notes)
    assert set(flow.shapes) == {(256, 256, 3)}


def test_it_is_measured_warm() -> None:
    times = iter([0, 900, 900, 1000, 1000, 1010, 1010, 1020, 1020, 1030])
    assert measure_ms(FakeFlow(), lambda: next(times) * MS) == 10.0


def test_a_network_of_the_bundle_is_measured_and_the_cpus_own_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = FakeFlow("cuda")
    monkeypatch.setattr(vision_engines, "open_engine", lambda network, **_: flow)
    notes: list[str] = []
    assert open_vision_engines(Show(), notes.append, clock(80.0)) == (flow, flow)
    assert len(notes) == 1
    monkeypatch.undo()
    looks = count()
    own, embedding = open_vision_engines(Show(backend="torch"), notes.append, lambda: next(looks))
    assert own.spec.runtime == "opencv"
    assert next(looks) == 0, "nobody looked at the clock"
    assert embedding.step(image=np.zeros((256, 256, 3), np.uint8))["embedding"].shape == (EMBEDDING_DIM,)
    assert len(notes) == 1


def test_what_looks_is_opened_with_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, int] = {}

    def opened(network: str, threads: int = 1, **_: Any) -> FakeFlow:
        asked[network] = threads
        flow = FakeFlow()
        flow.spec = EngineSpec(network, "opencv")
        return flow

    monkeypatch.setattr(vision_engines, "open_engine", opened)
    monkeypatch.setattr(vision_engines, "cores", lambda: 8)
    open_vision_engines(Show(), lambda line: None)
    assert asked == {"flow": 1, "embedding": 2}

"""Priors that are read aside: each arrives once, the last one asked for counts, and what is wrong is raised."""

from __future__ import annotations

from concurrent.futures import wait
from threading import Event

import numpy as np
import pytest

from streaming.errors import SourceError
from streaming.prior_reader import PriorReader


def test_an_image_arrives_once_with_its_path() -> None:
    reader = PriorReader(lambda path: np.full((2, 2, 3), len(path), np.uint8))
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

    reader = PriorReader(read)
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

    reader = PriorReader(read)
    reader.ask("bad")
    assert reader.coming is not None
    wait([reader.coming], 5.0)
    with pytest.raises(SourceError, match="no picture"):
        reader.arrived()
    assert reader.arrived() is None
    reader.close()

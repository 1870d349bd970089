"""Every mode has a description of its own; what is no mode is all zeros."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streaming.scenes.layered_scene import MAX_MODES, MODE_NAMES, SceneMode
from streaming.scenes.mode_descriptions import MODE_FEATURES, describe_modes

MODE = SceneMode(1, "swing", 1.7, 0.3, 0.02, (0.25, -0.25), (0.6, 0.8), 0.2)


def test_an_ordinary_mode_is_described_around_zero() -> None:
    table = describe_modes([MODE])
    assert table.shape == (MAX_MODES, MODE_FEATURES)
    assert table[0, : len(MODE_NAMES)].tolist() == [float(name == "swing") for name in MODE_NAMES]
    assert np.allclose(table[0, len(MODE_NAMES) :], [0.0, 0.0, 0.0, 0.3, 0.5, -0.5, 0.6, 0.8, 1.0], atol=1e-6)
    assert not table[1:].any()


@pytest.mark.parametrize(
    "other",
    [
        replace(MODE, name="turn"),
        replace(MODE, hz=2.0),
        replace(MODE, size=0.3),
        replace(MODE, reach=0.03),
        replace(MODE, place=(0.0, 0.0)),
        replace(MODE, way=(-0.6, -0.8)),
    ],
)
def test_what_tells_two_modes_apart_is_described(other: SceneMode) -> None:
    one, two = describe_modes([MODE, other])[:2]
    assert not np.allclose(one, two)

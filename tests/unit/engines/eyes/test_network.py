"""One network of the eyes behind the engine contract."""

from __future__ import annotations

import numpy as np
import pytest

from engines.contract import EngineError
from engines.eyes.catalogue import EyeNetwork, EyeOutput
from engines.eyes.network import EyeEngine
from export.eyes.converter import convert
from tests.eye_wheels import SIDE, tiny_network

NETWORK = EyeNetwork("near", "sees near", "near.tflite", "", SIDE, 0.0, (EyeOutput("picture", 0, (SIDE, SIDE, 3)),))


def test_an_engine_says_what_it_is_and_keeps_nothing() -> None:
    engine = EyeEngine(NETWORK, convert(tiny_network(1.0), {"picture": 0}))
    assert (engine.spec.network, engine.spec.runtime, engine.spec.device) == ("near", "onnxruntime", "cpu")
    image = np.full((SIDE, SIDE, 3), 51, np.uint8)
    first = engine.step(image=image)["picture"]
    engine.step(image=np.zeros_like(image))
    engine.reset()
    np.testing.assert_array_equal(engine.step(image=image)["picture"], first)
    np.testing.assert_allclose(first, 0.2, atol=1e-6)


def test_a_picture_of_another_size_is_refused() -> None:
    engine = EyeEngine(NETWORK, convert(tiny_network(1.0), {"picture": 0}))
    with pytest.raises(EngineError, match="near takes pictures of 4 x 4 x 3"):
        engine.step(image=np.zeros((5, 4, 3), np.uint8))

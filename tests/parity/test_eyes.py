"""The converted eyes answer as LiteRT does; its answers were stored by `tests/parity/eye_goldens.py`."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from engines.eyes.catalogue import MEDIAPIPE, EyeNetwork, MissingEyesError
from engines.eyes.network import EyeEngine, open_eye
from tests.parity.eye_goldens import GOLDENS, PICTURES, kept, picture

TOLERANCE = 1e-4
"""Largest difference, in shares of the output's largest value. Measured: at most 1e-5 (body_landmarks, grain)."""
MASK_TOLERANCE = 1e-3
"""The same for the masks, whose logits are differences of large numbers. Measured: at most 3.3e-4 (waves)."""


def opened(network: EyeNetwork) -> EyeEngine:
    try:
        return open_eye(network.name)
    except MissingEyesError:
        pytest.skip("the eyes are not in the cache; run: python -m export.eyes")


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("network", MEDIAPIPE.networks, ids=lambda network: str(network.name))
def test_a_converted_network_answers_as_litert_does(network: EyeNetwork, kind: str) -> None:
    outputs = opened(network).step(image=picture(kind, network.side))
    goldens = load_file(GOLDENS)
    for name, values in outputs.items():
        golden = goldens[f"{network.name}.{kind}.{name}"]
        scale = max(float(np.abs(golden).max()), 1.0 if name in ("presence", "handedness") else 1e-6)
        np.testing.assert_allclose(
            kept(values), golden, atol=(MASK_TOLERANCE if name in ("mask", "people") else TOLERANCE) * scale, rtol=0
        )


def test_there_are_answers_for_every_output() -> None:
    wanted = {
        f"{network.name}.{kind}.{output.name}"
        for network in MEDIAPIPE.networks
        for kind in PICTURES
        for output in network.outputs
    }
    assert set(load_file(GOLDENS)) == wanted

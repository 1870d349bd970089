"""The learned drive: it is run warm, told of the modes, and gives the forces of those that there are."""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.contract import EngineSpec
from streaming.scenes.mode_descriptions import describe_modes
from streaming.scenes.network_drive import GAINS, NetworkDrive
from tests.scenes.hand_made import mode_of


class CountingEngine:
    """Forces are how often it was asked since it was reset."""

    def __init__(self) -> None:
        self.spec = EngineSpec("drive", "fake", config={"latent_dim": 5})
        self.asked = 0
        self.given: dict[str, Any] = {}

    def step(self, **inputs: Any) -> dict[str, np.ndarray]:
        self.asked, self.given = self.asked + 1, inputs
        return {"forces": np.arange(3)[:, None] + np.full((3, 36), self.asked, np.float32)}

    def reset(self) -> None:
        self.asked = 0


def test_it_gives_the_forces_of_the_modes_that_there_are() -> None:
    engine = CountingEngine()
    drive = NetworkDrive(engine)
    assert engine.given["latent"].shape == (5,), "it was run warm"
    modes = [mode_of(1.0), mode_of(2.0, place=(0.1, 0.2))]
    drive.take_scene(modes)
    latent, bands, noise = np.ones(5, np.float32), np.ones((2, 8), np.float32), np.ones((36, 2), np.float32)
    wanted = GAINS * [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    np.testing.assert_array_equal(drive.step(latent, bands, noise), wanted)
    np.testing.assert_array_equal(engine.given["modes"], describe_modes(modes))
    np.testing.assert_allclose(engine.given["noise"], noise / [GAINS[0, 0], 1.0], rtol=1e-6)


def test_another_scene_does_not_make_it_forget_the_sound() -> None:
    engine = CountingEngine()
    drive = NetworkDrive(engine)
    sound = np.ones(5, np.float32), np.ones((2, 8), np.float32), np.ones((36, 2), np.float32)
    drive.step(*sound)
    drive.take_scene([mode_of(3.0)])
    assert drive.step(*sound)[0].tolist() == [2.0 * GAINS[0, 0]]
    drive.reset()
    assert drive.step(*sound)[0].tolist() == [GAINS[0, 0]]

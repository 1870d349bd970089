"""The drive that has learned to hear: an engine, from sound and the modes' descriptions to forces on the modes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from streaming.conventions import SOUND_BANDS
from streaming.scenes.layered_scene import MAX_MODES, SceneMode
from streaming.scenes.mode_descriptions import describe_modes

GAINS = np.array([[1.3], [1.8], [1.3]])
"""Of push, kick and bow: the law that the network has learned is gentle. With these, and with the dampings of
`streaming.scenes.making`, a click moves the moving part of a still by 3.9 px in 120 ms (before 2.7), and motion at the
onsets of sixteen recordings is 2.6 times that at other times (before 2.2)."""
_WARM_UP_STEPS = 3


class NetworkDrive:
    """Feeds the network `drive` every tick; see `streaming.scenes.hand_drive.ModeDrive`.

    Its state depends on the sound alone.

    Args:
        engine: of the network, see `engines.networks`; it is run warm.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.take_scene(())
        silence = np.zeros(int(engine.spec.config.get("latent_dim", 128)), np.float32)
        for _ in range(_WARM_UP_STEPS):
            self.step(silence, np.zeros((2, SOUND_BANDS), np.float32), np.zeros((MAX_MODES, 2), np.float32))
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._engine.reset()

    def take_scene(self, modes: Sequence[SceneMode]) -> None:
        """Drive these modes from now on, going by what was heard up to now."""
        self._count, self._modes = len(modes), describe_modes(modes)

    def step(
        self, latent: NDArray[np.float32], bands: NDArray[np.float32], noise: NDArray[np.float32]
    ) -> NDArray[np.floating]:
        """The forces of the next tick; see `streaming.scenes.hand_drive.ModeDrive.step`."""
        # The spread of the pushes stays what it has learned.
        noise = np.stack([noise[:, 0] / np.float32(GAINS[0, 0]), noise[:, 1]], -1)
        outputs = self._engine.step(latent=latent, bands=bands, modes=self._modes, noise=noise)
        return GAINS * np.asarray(outputs["forces"], np.float64)[:, : self._count]

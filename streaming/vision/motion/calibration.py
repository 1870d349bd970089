"""Calibrating the scale of motion: it adapts all the time, or is measured once while the performer plays, and held."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engines.bundles import find_bundle, read_manifest
from engines.contract import EngineError
from streaming.vision.motion.feature_names import INDEX
from streaming.vision.motion.features import MotionFeatureExtractor
from streaming.vision.motion.hand_motion import HandMotion

MIN_MOVING_S = 0.5
"""Seconds of motion that a calibration needs."""
NOT_TAKEN = "the bundle's networks do not take motion features, so sensitivity and calibrate change nothing"


def takes_motion_features(bundle: str) -> bool:
    """Whether a bundle's networks take `Motion.features`: the latent space, or a translator that plays by gestures."""
    try:
        networks = read_manifest(find_bundle(bundle))["networks"]
    except EngineError:
        return False
    configs = [networks.get(name, {}).get("config", {}) for name in ("latent", "translator")]
    return bool(configs[0].get("motion_features") or configs[1].get("gesture_dim"))


class Calibration:
    """Holds the scale of an extractor as a performer asks.

    Args:
        extractor: whose scale it is.
        note: says one line to the user.
        hands: the motion of the hands, whose scale is measured and held with it.
    """

    def __init__(
        self, extractor: MotionFeatureExtractor, note: Callable[[str], None], hands: HandMotion | None = None
    ) -> None:
        self._extractor, self._note, self._hands = extractor, note, hands
        self._seconds = 0.0
        self._begun_s: float | None = None
        self._last_s = 0.0
        self._moving_s = 0.0

    @property
    def measures(self) -> bool:
        """Whether it measures just now."""
        return self._seconds > 0.0

    def begin(self, seconds: float) -> None:
        """Measure the scale anew from the next frame on, for some seconds, and hold it then."""
        self._extractor.forget_scale()
        if self._hands is not None:
            self._hands.forget_scale()
        self._seconds, self._begun_s, self._moving_s = seconds, None, 0.0
        self._note(f"calibrating: move as you will play, for {seconds:g} s")

    def release(self) -> None:
        """Let the scale adapt all the time."""
        self._seconds = 0.0
        self._extractor.release_scale()
        if self._hands is not None:
            self._hands.release_scale()

    def observe(self, time_s: float, features: NDArray[np.float32]) -> None:
        """Take in a frame: its capture time in seconds and its features."""
        if not self.measures:
            return
        if self._begun_s is None:
            self._begun_s = self._last_s = time_s
        if features[INDEX["activity"]] == 1.0:
            self._moving_s += max(0.0, time_s - self._last_s)
        self._last_s = time_s
        if time_s - self._begun_s < self._seconds:
            return
        self._seconds = 0.0
        if self._moving_s < MIN_MOVING_S:
            self._note("not calibrated: hardly anything moved, so the scale goes on adapting; calibrate again")
            return
        self._extractor.hold_scale()
        if self._hands is not None:
            self._hands.hold_scale()
        self._note(f"calibrated: your fastest motion is {self._extractor.scale:.2g} picture sides a second")

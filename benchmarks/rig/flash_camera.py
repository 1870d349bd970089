"""A virtual camera before a still scene in which a disc flashes at the plan's times, drawn from the monotonic clock."""

from __future__ import annotations

import bisect
from typing import IO

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.rig.trial_plan import CAMERA_LOG, FLASH_S, CameraStart, Flash, TrialPlan, read_plan
from streaming.conventions import TICK_NS, TICKS_PER_SECOND
from streaming.devices.cameras.frames import CameraSource, Frame
from streaming.stage import Context, Stage
from streaming.stages.camera import CameraStage

SIZE = (640, 480)
DISC_PX = 80
"""Radius of the flash."""
NOISE_LEVELS = 1.0
"""Standard deviation of the sensor's noise in grey levels."""
NOISY_FRAMES = 8
"""So many frames with a noise of their own take turns."""
WORDS = "ideal: no exposure time, no transfer, noise of 1 grey level"


class FlashScene:
    """The pictures of a blurred still background, with and without the flash: uint8 [480, 640, 3], BGR."""

    def __init__(self, seed: int = 3) -> None:
        random = np.random.default_rng(seed)
        width, height = SIZE
        coarse = random.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
        dark = cv2.GaussianBlur(cv2.resize(coarse, SIZE, interpolation=cv2.INTER_CUBIC), (0, 0), 6)
        lit = cv2.circle(dark.copy(), (width // 2, height // 2), DISC_PX, (255, 255, 255), -1, cv2.LINE_AA)
        noise = [random.normal(0.0, NOISE_LEVELS, dark.shape) for _ in range(NOISY_FRAMES)]
        self._frames = [[_with_noise(picture, part) for part in noise] for picture in (dark, lit)]

    def frame(self, index: int, lit: bool) -> NDArray[np.uint8]:
        """The frame of an index."""
        return self._frames[lit][index % NOISY_FRAMES]


def _with_noise(picture: NDArray[np.uint8], noise: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


class FlashCamera(CameraSource):
    """Shows the plan's flashes. A frame shows the scene at its capture time, as a sensor without exposure would.

    Args:
        plan: when the flashes are, and the camera's rate.
        scene: draws the frames.
        log: takes a line for the start and for each flash.
    """

    description = "a flash on a still background"

    def __init__(self, plan: TrialPlan, scene: FlashScene, log: IO[bytes]) -> None:
        self.rate_hz = plan.camera_hz or float(TICKS_PER_SECOND)
        self.free_running = plan.camera_hz > 0.0
        self._period_ns = round(1e9 / self.rate_hz) if self.free_running else TICK_NS
        self._flashes_ns = [round(time * 1e9) for time in plan.flashes_s]
        self._scene, self._log = scene, log
        self._origin_ns: int | None = None
        self._first_ns = self._index = self._reported = 0

    def open(self, context: Context) -> None:
        """The first frame is due now."""
        self._first_ns = context.now_ns

    def start(self, origin_ns: int, now_ns: int) -> None:
        """The plan's times count from `origin_ns`."""
        self._origin_ns = self.resume_ns = origin_ns
        self._write(CameraStart(origin_ns=origin_ns))

    def shift(self, by_ns: int) -> bool:
        """Shift the coming frames; the flashes stay where they are."""
        if self.free_running:
            return False
        self._first_ns += by_ns
        return True

    def poll(self, now_ns: int) -> Frame | None:
        """The newest frame that is due."""
        newest = (now_ns - self._first_ns) // self._period_ns
        if newest < self._index:
            return None
        self._index = newest + 1
        capture_ns = self._first_ns + newest * self._period_ns
        return Frame(self._scene.frame(newest, self._is_lit(capture_ns)), newest, capture_ns)

    def wake_ns(self) -> int | None:
        """When the next frame is due."""
        return self._first_ns + self._index * self._period_ns

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _is_lit(self, capture_ns: int) -> bool:
        if self._origin_ns is None:
            return False
        since_ns = capture_ns - self._origin_ns
        begun = bisect.bisect_right(self._flashes_ns, since_ns)
        while self._reported < begun:
            event_ns = self._origin_ns + self._flashes_ns[self._reported]
            self._write(Flash(event_ns=event_ns, frame_ns=capture_ns))
            self._reported += 1
        return begun > 0 and since_ns - self._flashes_ns[begun - 1] < FLASH_S * 1e9

    def _write(self, line: CameraStart | Flash) -> None:
        self._log.write(msgspec.json.encode(line) + b"\n")


def open_flash_camera(context: Context) -> FlashCamera:
    """The camera of the plan that the environment names."""
    plan = read_plan()
    camera = FlashCamera(plan, FlashScene(), plan.path(CAMERA_LOG).open("ab", buffering=0))
    camera.open(context)
    return camera


def build() -> Stage:
    """The camera stage with this camera."""
    return CameraStage(open_flash_camera)

"""The null instrument: a click for each flash, a picture for each impulse, and nothing between: the machine's floor.

`python -m benchmarks.rig.null_instrument [MODULE]` has the same camera and the same audio device as the show, and one
process. It runs until its stdin ends. The module's `build()` makes a responder in place of the usual one: that is how
`bench compare` measures other instruments.
"""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.rig.flash_camera import SIZE, FlashCamera, FlashScene
from benchmarks.rig.jack_client import Cycle, JackClient
from benchmarks.rig.stamp_screen import StampScreen
from benchmarks.rig.trial_plan import CAMERA_LOG, SCREEN_LOG, TrialPlan, read_plan
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.system.realtime import request_realtime
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock

CLICK = 0.8
HEARD = 0.1
"""An impulse is a sample above this."""
QUIET_CYCLES = 8
LIT = 250
"""Grey level of the middle of a frame that shows the flash."""
REALTIME = 15


class Responder(Protocol):
    """Looks at a frame, uint8 [H, W, 3] BGR, and says whether a sound is to begin now."""

    def __call__(self, image: NDArray[np.uint8]) -> bool:
        """Whether this frame is answered."""


class BrightMiddle:
    """Answers the first frame that shows the flash."""

    def __init__(self) -> None:
        self._was_lit = False

    def __call__(self, image: NDArray[np.uint8]) -> bool:
        """Whether this frame is answered."""
        was_lit, self._was_lit = self._was_lit, int(image[SIZE[1] // 2, SIZE[0] // 2].min()) >= LIT
        return self._was_lit and not was_lit


class NullInstrument:
    """Answers at once.

    Args:
        plan: when the flashes are.
        responder: decides which frames are answered.
    """

    def __init__(self, plan: TrialPlan, responder: Responder) -> None:
        self._responder = responder
        self._camera = FlashCamera(plan, FlashScene(), plan.path(CAMERA_LOG).open("ab", buffering=0))
        self._screen = StampScreen(plan.path(SCREEN_LOG).open("ab", buffering=0))
        self._clicks = self._played = self._impulses = self._quiet = 0
        self._picture = np.zeros((64, 64, 3), np.uint8)
        self._client = JackClient("null", self._on_cycle, inputs=("in_0",), outputs=("out_0",))

    def run(self, ended: threading.Event) -> None:
        """Play until the event is set."""
        now_ns = clock.now_ns()
        self._camera.open(Context(show=Show(), metrics=Metrics(), now_ns=now_ns))
        self._camera.start(now_ns, now_ns)
        shown = -1
        while not ended.is_set():
            now_ns = clock.now_ns()
            wake_ns = self._camera.wake_ns() or now_ns
            clock.sleep_until(min(wake_ns, now_ns + 1_000_000))
            frame = self._camera.poll(clock.now_ns())
            if frame is not None:
                self._clicks += self._responder(frame.image)
            if self._impulses != shown:
                shown = self._impulses
                self._picture[:] = shown % 256
                self._screen.show(shown, self._picture)
        self._client.close()
        self._camera.close()
        self._screen.close()

    def _on_cycle(self, cycle: Cycle) -> None:
        if self._played < self._clicks:
            self._played = self._clicks
            cycle.outputs[0][0] = CLICK
        loud = bool(np.abs(cycle.inputs[0]).max() > HEARD)
        if loud and self._quiet >= QUIET_CYCLES:
            self._impulses += 1
        self._quiet = 0 if loud else self._quiet + 1


def main(arguments: list[str]) -> int:
    """Run until stdin ends.

    Returns:
        The exit status.
    """
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    sys.setswitchinterval(0.0005)
    responder: Responder = importlib.import_module(arguments[0]).build() if arguments else BrightMiddle()
    request_realtime(REALTIME)
    instrument = NullInstrument(read_plan(), responder)
    threading.Thread(target=wait, daemon=True).start()
    instrument.run(ended)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The screen stage: shows every picture when its sound is heard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streaming.conventions import TICK_NS, TICKS_PER_SECOND
from streaming.devices.screens.device import ScreenDevice
from streaming.errors import UserError
from streaming.schema.device_kinds import SCREEN
from streaming.schema.messages import Message, Microphone, Picture, Scene, Screen
from streaming.stage import Context, Inputs
from streaming.timing import clock

WAKE_NS = 20_000_000
"""A window is asked this often for what was typed."""
MAX_WAITING = 8
"""Pictures that may wait for their time; a show that listens to itself makes them before their sound is played."""
LATEST_NS = 250_000_000
"""A time stamp further in the future than this is taken for wrong, and the picture shown at once."""
APART_NS = 16_000_000
"""Each picture is shown for at least one frame of a common monitor (60 Hz)."""
LOOK_NS = 500_000_000
"""A display that has gone is looked for this often."""
PASSED_NS = TICK_NS
"""A picture is skipped once the next one has been due for one tick."""


class ScreenStage:
    """Shows a picture when its sound is played, or at once if that time has passed.

    A picture that is late is still shown while the next one is due for less than a tick; then it is skipped. Where the
    display has gone (the display server's end is also that of its clients) the stage that is started again looks for it
    until it is back; pictures that nobody sees meanwhile are missed ones.

    Args:
        opener: opens the screen that `--screen` names; see `device_kinds.SCREEN`.
        now_ns: reads the clock, for the time at which a picture was shown.
    """

    def __init__(
        self,
        opener: Callable[..., ScreenDevice] = SCREEN.open,
        now_ns: Callable[[], int] = clock.now_ns,
    ) -> None:
        self._opener, self._now_ns = opener, now_ns
        self._device: ScreenDevice | None = None
        self._size: tuple[int, int] | None = None
        self._waiting: deque[tuple[int, Picture]] = deque()
        """Each with the time from which it may be shown."""
        self._free_ns = 0
        self._last_tick: int | None = None
        self._shown = self._missed = 0
        self._wake_ns: int | None = None
        self._look_ns = self._away_ns = 0

    def setup(self, context: Context) -> None:
        """Open the screen, so that one that cannot be opened is said before the show begins.

        Raises:
            UserError: when it cannot be opened.
        """
        self._context = context
        self._wake_ns = context.now_ns + WAKE_NS
        self._away_ns = context.now_ns
        if context.memo.get("display"):
            self._look(context.now_ns)
            return
        self._use(self._opener(context.show.screen, context.note, context.metrics.count))

    def _use(self, device: ScreenDevice) -> None:
        context = self._context
        self._device = device
        context.info["device"] = device.name
        if device.display:
            context.memo["display"] = device.display
        if self._size is not None:
            device.set_size(self._size)
        if context.memo.pop("lost_ns", None) is not None:
            context.metrics.count("drops", len(self._waiting))
            self._waiting.clear()
            context.info["away"] = False
            context.metrics.count("device_back")
            context.note(f"the display is back: {device.name}")

    def _look(self, now_ns: int) -> None:
        """Open the window again if its display is there; say and count once that it is not."""
        context = self._context
        if "lost_ns" in context.memo:
            context.metrics.count("away_ms", max(0, now_ns - self._away_ns) // 1_000_000)
        self._away_ns, self._look_ns = now_ns, now_ns + LOOK_NS
        try:
            self._use(self._opener(str(context.memo["display"]), context.note, context.metrics.count))
        except UserError as error:
            if "lost_ns" not in context.memo:
                context.memo["lost_ns"] = now_ns
                context.info["away"] = True
                context.metrics.count("device_lost")
                context.note(f"the display has gone ({error.what}); the show goes on, and it is looked for")

    def wake_ns(self) -> int | None:
        """When the next picture is due, and every 20 ms."""
        return self._wake_ns

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Show what is due."""
        if self._device is None and now_ns >= self._look_ns:
            self._look(now_ns)
        scene = inputs.latest(Scene)
        if scene is not None:
            self._set_size(scene.image)
        for picture in inputs.all(Picture):
            self._take(picture, now_ns)
        shown = self._show_due(now_ns)
        if self._device is not None:
            if self._size is not None:
                for sound in inputs.all(Microphone):
                    self._device.hear(sound.tick, sound.pcm)
            if "quit" in self._device.requests():
                self._context.finish("the window was closed")
        self._wake_ns = now_ns + WAKE_NS
        if self._waiting:
            self._wake_ns = min(self._wake_ns, max(self._waiting[0][0], self._free_ns))
        return shown

    def close(self) -> None:
        """Close the screen."""
        if self._device is not None:
            self._device.close()

    def _set_size(self, image: NDArray[np.uint8]) -> None:
        """Tell the screen the size of the pictures: that of the scene, or of the first one, [H, W, 3]."""
        size = (image.shape[1], image.shape[0])
        if self._size is None:
            self._size = size
            self._context.info["size"] = list(size)
            if self._device is not None:
                self._device.set_size(size)

    def _take(self, picture: Picture, now_ns: int) -> None:
        image = picture.image
        if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            self._context.metrics.count("bad")
            return
        if picture.capture_ns > now_ns + LATEST_NS:
            picture.capture_ns = now_ns
        self._set_size(image)
        self._waiting.append((max(picture.capture_ns, now_ns), picture))
        if len(self._waiting) > (MAX_WAITING if self._device is not None else 1):
            self._waiting.popleft()
            self._context.metrics.count("drops")

    def _show_due(self, now_ns: int) -> Sequence[Message]:
        """The next picture whose time has come, unless the one before it was shown less than 16 ms ago."""
        waiting, metrics = self._waiting, self._context.metrics
        while len(waiting) > 1 and waiting[1][0] + PASSED_NS <= now_ns:
            waiting.popleft()
            metrics.count("drops")
        if not waiting or self._device is None or now_ns < max(waiting[0][0], self._free_ns):
            return []
        due = waiting.popleft()[1]
        self._free_ns = now_ns + APART_NS
        self._device.show(due.tick, due.image)
        shown_ns = self._now_ns()
        if self._last_tick is not None and due.tick > self._last_tick + 1:
            missed = due.tick - self._last_tick - 1
            self._missed += missed
            metrics.count("pictures_missed", missed)
        self._last_tick = due.tick
        self._shown += 1
        metrics.count("pictures_shown")
        if due.tick < TICKS_PER_SECOND:
            metrics.count("pictures_shown_start")
        metrics.gauge("tick", due.tick)
        if due.capture_ns:
            metrics.observe("sound_to_picture_ms", (shown_ns - due.capture_ns) / 1e6)
        if shown_ns - now_ns > TICK_NS:
            metrics.count("slow")
        return [
            Screen(
                tick=due.tick,
                shown_ns=shown_ns,
                shown=self._shown,
                missed=self._missed,
                capture_ns=due.capture_ns,
                stamps=dict(due.stamps),
            )
        ]


def build() -> ScreenStage:
    """The stage, for the runner."""
    return ScreenStage()

"""Browsers as a speaker: whoever opens the page hears the show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streaming.devices.browser.local_link import BlockSender, LinkBlock, socket_path
from streaming.devices.sound.outputs import AudioOutput, ChannelPlan, NullOutput
from streaming.timing import clock

RATE = 48_000
"""The rate of Opus."""
MOST_WAITING = 40
"""Blocks of 5 ms that may wait for the browser process."""
SIDES = 2
"""Browsers always get both sides, also where they are the same."""
PACKET_S = 0.020
"""Length of an Opus packet."""


class BrowserSpeaker(NullOutput):
    """An output paced by this machine's clock, whether or not somebody listens.

    `latency_s` is that to the machine's network: the browser's own buffer is not known.

    Args:
        path: of the browser process's socket.
        now_ns: reads the clock.
        sleep_until: sleeps until an absolute time in ns.
    """

    def __init__(
        self,
        path: Path,
        now_ns: Callable[[], int] = clock.now_ns,
        sleep_until: Callable[[int], None] = clock.sleep_until,
    ) -> None:
        super().__init__(RATE, now_ns, sleep_until)
        self.name = "browser"
        self.latency_s += PACKET_S
        self._sender = BlockSender("speaker", MOST_WAITING, path)

    def arrange(self, plan: ChannelPlan) -> None:
        """Two sides, so that a width is heard that is turned up later."""
        self.sides = SIDES

    def close(self) -> None:
        """Stop."""
        super().close()
        self._sender.close()

    def _keep(self, position: int, block: NDArray[np.float32]) -> None:
        pair = block if block.ndim == 2 else np.repeat(block.reshape(-1, 1), SIDES, 1)
        self._sender.put(LinkBlock(pair.tobytes()))


def open_speaker(argument: str, record: str, resume: str) -> tuple[AudioOutput, str]:
    """The speakers of browsers."""
    return BrowserSpeaker(socket_path()), ""

"""Listens to the sockets of a show for what its own stamps say, beside the external measure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.rig.trial_plan import CAMERA_LOG, CameraStart, PictureStamps, TickStamps, TrialPlan
from streaming.audio.resampler import TickResampler
from streaming.conventions import SAMPLE_RATE
from streaming.schema.messages import Message, Screen, Sound, Speaker, Tokens
from streaming.telemetry.metrics import Metrics
from streaming.timing.clock import now_ns
from streaming.transport.bus import Subscriber
from streaming.transport.sockets import Poller

WAIT_NS = 50_000_000


class MessageListener:
    """Hands every message of some topics of a show on this machine to a function, from a thread of its own.

    Args:
        run_dir: the show's run folder; the show may begin later.
        topics: what to listen to.
        take: gets each message.
    """

    def __init__(self, run_dir: Path, topics: Sequence[str], take: Callable[[Message], None]) -> None:
        self._take = take
        self._subscriber = Subscriber({topic: f"ipc://{run_dir / topic}.sock" for topic in topics}, Metrics())
        self._ended = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._ended = True
        self._thread.join(5.0)
        self._subscriber.close()

    def _listen(self) -> None:
        poller = Poller(self._subscriber)
        while not self._ended:
            poller.wait(now_ns() + WAIT_NS)
            for messages in self._subscriber.drain().values():
                for message in messages:
                    self._take(message)


class StampListener:
    """Keeps the stamps of every tick and of every picture, until it is closed.

    Args:
        run_dir: the show's run folder.
        plan: with an LED, the first tick is what the probe waits for.
    """

    TOPICS = ("tokens", "sound", "speaker", "screen")

    def __init__(self, run_dir: Path, plan: TrialPlan) -> None:
        self._plan = plan
        self._captured: dict[int, int] = {}
        self._delayed: dict[int, int] = {}
        self._dac: dict[int, int] = {}
        self._shown: list[PictureStamps] = []
        self._listener = MessageListener(run_dir, self.TOPICS, self._take)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def ticks(self, rate_hz: int) -> list[TickStamps]:
        """The stamps of every tick that was played, for an audio device of this rate."""
        late_ns = round(TickResampler(SAMPLE_RATE, rate_hz).latency_s * 1e9)
        found = []
        for tick, captured_ns in sorted(self._captured.items()):
            delayed_ns, dac_ns = self._delayed.get(tick), self._dac.get(tick)
            if delayed_ns and dac_ns and captured_ns:
                # The report's figure is dac_ns + late_ns - delayed_ns: a sample that a frame influences leaves later
                # than its tick by what limiter and decoder look ahead.
                found.append(TickStamps(captured_ns, dac_ns + late_ns + captured_ns - delayed_ns))
        return found

    def pictures(self) -> list[PictureStamps]:
        """The stamps of every picture that was shown."""
        return list(self._shown)

    def _take(self, message: Message) -> None:
        if isinstance(message, Tokens):
            self._captured[message.tick] = message.capture_ns
        elif isinstance(message, Sound):
            self._delayed[message.tick] = message.capture_ns
        elif isinstance(message, Speaker):
            if self._plan.led and not self._dac:
                line = msgspec.json.encode(CameraStart(origin_ns=now_ns())) + b"\n"
                self._plan.path(CAMERA_LOG).write_bytes(line)
            self._dac[message.tick] = message.dac_ns
        elif isinstance(message, Screen):
            self._shown.append(PictureStamps(message.tick, message.shown_ns, message.capture_ns))

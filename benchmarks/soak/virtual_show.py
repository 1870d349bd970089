"""The stages of a show on a virtual clock: real ring, latch, clocks and counters; no network, process or waiting."""

from __future__ import annotations

import functools
import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.contract import EngineSpec
from streaming.conventions import EMBEDDING_DIM, FLOW_GRID, SAMPLE_RATE, TICK_NS, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.devices.screens.device import NullScreen
from streaming.devices.sound.inputs import Intake
from streaming.devices.sound.outputs import ChannelPlan, Feed
from streaming.schema.messages import TOPICS, Hearing, Message, Motion, Picture, Speaker, Tokens
from streaming.schema.processes import PROCESSES
from streaming.settings.config import Show
from streaming.stage import Context, Inputs, Stage
from streaming.stages.hearing import HearingStage
from streaming.stages.microphone import MicrophoneStage
from streaming.stages.screen import ScreenStage
from streaming.stages.sound import SoundStage
from streaming.stages.speaker import SpeakerStage
from streaming.stages.tokens import TokensStage
from streaming.telemetry.metrics import Metrics, Totals

UPTIME_NS = 3_600_000_000_000_000
"""The clock begins at 1,000 hours: sums must be exact there too."""
RATE_HZ, BLOCK = 48_000, 960
DEVICE_PPM, CAMERA_PPM = 83.0, -140.0
"""The device's clock is too fast, the camera's too slow, as real ones are."""
DELAY_NS = 7_000_000
COARSE_NS = 20_000_000
"""A stage that wants to be woken only to look is woken no more often."""
MOTION_NS, JITTER_NS = 13_000_000, 4_000_000
SETTLED_TICKS, LEADS = 2_500, 100
"""By how many ticks the making of sound is ahead of its playing is compared, once it has settled, with the end."""
WAY_NS = 2_000_000
"""From one stage to the next, with its work."""


class FixedEngine:
    """An engine without a network: always the same output."""

    def __init__(self, network: str, output: dict[str, NDArray[Any]], config: dict[str, Any] | None = None) -> None:
        self.spec = EngineSpec(network, "none", config=config or {})
        self._output = output

    def step(self, **inputs: np.ndarray | float) -> dict[str, NDArray[Any]]:
        """The fixed output."""
        return self._output

    def reset(self) -> None:
        """Nothing to forget."""


def fixed_engines() -> dict[str, FixedEngine]:
    """An engine for each network that the stages open."""
    tone = (0.2 * np.sin(2 * np.pi * 400 * np.arange(TICK_SAMPLES) / SAMPLE_RATE)).astype(np.float32)
    return {
        "sight": FixedEngine("sight", {"latent": np.zeros(64, np.float32)}),
        "translator": FixedEngine("translator", {"frames": np.zeros((4, 2), np.int16)}, {"voice_names": ["drums"]}),
        "kind": FixedEngine("kind", {"odds": np.array([0.0, 1.0], np.float32)}, {"kind_names": ["drums"]}),
        "decoder": FixedEngine("decoder", {"pcm": tone}),
        "encoder": FixedEngine("encoder", {"frames": np.zeros((4, 2), np.int16)}),
        "hearing": FixedEngine("hearing", {"latent": np.zeros(64, np.float32)}),
    }


@dataclass
class VirtualDevice:
    """A sound card: takes and gives a block at a time; both ends are one clock."""

    name: str = "virtual"
    device: str = ""
    samplerate: int = RATE_HZ
    sides: int = 1
    latency_s: float = DELAY_NS / 1e9
    underruns: int = 0
    overruns: int = 0
    longest_block: int = BLOCK
    ended: bool = False
    loss: str = ""
    away: bool | None = None
    waits: bool = False
    path: Path | None = None
    feed: Feed | None = None
    intake: Intake | None = None
    blocks: int = 0
    out: NDArray[np.float32] = field(default_factory=lambda: np.zeros(BLOCK, np.float32))

    def arrange(self, plan: ChannelPlan) -> None:
        """One channel, whatever is wanted."""

    def start(self, receiver: Any, skip_s: float = 0.0) -> None:
        """Begin to call a feed or an intake."""
        if isinstance(receiver, Feed):
            self.feed = receiver
        else:
            self.intake = receiver

    def span(self, position: int, tick_sample: int, samples: int | None) -> None:
        """Do nothing."""

    def alive(self) -> bool:
        """Always."""
        return True

    def notes(self) -> list[str]:
        """No lines."""
        return []

    def close(self) -> None:
        """Nothing to release."""

    def block(self) -> None:
        """Play a block and hear it."""
        if self.feed is not None:
            self.feed(self.out, DELAY_NS)
        if self.intake is not None:
            self.intake(self.out, DELAY_NS)
        self.blocks += 1


@dataclass
class VirtualHost:
    """One stage, and what has arrived for it."""

    stage: Stage
    context: Context
    wakes_on: tuple[str, ...]
    reads: tuple[str, ...]
    inbox: dict[str, list[Message]] = field(default_factory=dict)
    wake_ns: int | None = None
    totals: Totals = field(default_factory=Totals)

    def put(self, message: Message) -> bool:
        """Take a message; True when the stage must step because of it."""
        topic = type(message).__name__.lower()
        queued = self.inbox.setdefault(topic, [])
        queued.append(message)
        del queued[: -TOPICS[topic].room]
        return topic in self.wakes_on

    def gather(self) -> None:
        """Sum up what the stage has measured, as its heartbeats would."""
        self.totals.add(self.context.metrics.take())


class VirtualShow:
    """Performs for some hours on a virtual clock.

    Args:
        hours: how long.
        seed: of the jitter.
    """

    def __init__(self, hours: float, seed: int = 0) -> None:
        self.ticks = round(hours * 3600 * TICKS_PER_SECOND)
        self.now_ns = UPTIME_NS
        self.device = VirtualDevice()
        self.finished = False
        self.pictures = 0
        self._first_leads: list[int] = []
        self._last_leads: deque[int] = deque(maxlen=LEADS)
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._jitter = np.random.default_rng(seed).integers(0, JITTER_NS, 4_096).tolist()
        self._drawn = 0
        self._tokens_tick = self._speaker_tick = 0
        engines = fixed_engines()
        show = Show(direction="both", duration_s=self.ticks / TICKS_PER_SECOND, speaker="none", microphone="card")

        def opener(network: str, **_: Any) -> FixedEngine:
            return engines[network]

        stages: dict[str, Stage] = {
            "tokens": TokensStage(opener),
            "sound": SoundStage(opener),
            "speaker": SpeakerStage(lambda *_: (self.device, ""), self._clock),
            "microphone": MicrophoneStage(lambda *_: (self.device, ""), self._clock),
            "hearing": HearingStage(opener),
            "screen": ScreenStage(lambda *_: NullScreen(), self._clock),
        }
        self.hosts: dict[str, VirtualHost] = {}
        for name, stage in stages.items():
            # In a show of both loops the microphone cancels echoes, which takes half of the time and counts nothing.
            own = msgspec.structs.replace(show, direction="music-to-video") if name == "microphone" else show
            finish = functools.partial(self._end, name)
            context = Context(show=own, metrics=Metrics(), now_ns=self.now_ns, finish=finish)
            stage.setup(context)
            row = PROCESSES[name]
            reads = tuple(topic for topic in row.inputs if topic != "scene")
            self.hosts[name] = VirtualHost(stage, context, row.wakes_on, reads)

    def run(self, each_hour: Callable[[float], None] = lambda hour: None) -> None:
        """Perform to the end.

        Args:
            each_hour: called with each hour that has passed.
        """
        self._at(self.now_ns, self._block)
        self._at(self.now_ns, self._frame)
        for host in self.hosts.values():
            self._plan(host)
        hour_ns, begun_ns = 3_600_000_000_000, self.now_ns
        next_ns, limit_ns = begun_ns + hour_ns, begun_ns + (self.ticks + 500) * TICK_NS
        while self._events and not self.finished and self.now_ns < limit_ns:
            at_ns, _, action = heapq.heappop(self._events)
            self.now_ns = max(self.now_ns, at_ns)
            action()
            if self.now_ns >= next_ns:
                next_ns += hour_ns
                self._gather()
                each_hour((self.now_ns - begun_ns) / hour_ns)
        self._gather()

    def close(self) -> None:
        """Close the stages."""
        for host in self.hosts.values():
            host.stage.close()

    def counts(self) -> dict[str, int]:
        """What must be exact: ticks, samples, drops."""
        speaker, screen = self.hosts["speaker"].totals, self.hosts["screen"].totals
        counted = [host.totals for host in self.hosts.values()]
        return {
            "ticks_wanted": self.ticks,
            "ticks_expected": speaker.counter("ticks.expected"),
            "ticks_played": speaker.counter("ticks.played"),
            "ticks_concealed": speaker.counter("ticks.concealed") - speaker.counter("ticks.concealed_start"),
            "samples_played": round(speaker.gauges.get("samples_played", 0.0)),
            "samples_wanted": self.ticks * TICK_SAMPLES,
            "microphone_samples_lost": self.hosts["microphone"].totals.counter("samples_lost"),
            "pictures_missed": screen.counter("pictures_missed"),
            "pictures_shown": screen.counter("pictures_shown"),
            "refused": sum(totals.sum_of("bad") + totals.sum_of("late") for totals in counted),
            "gaps": sum(totals.counter("gaps") for totals in counted),
            "drift_ticks": max(self._last_leads, default=0) - max(self._first_leads, default=0),
        }

    def _clock(self) -> int:
        return self.now_ns

    def _end(self, name: str, reason: str) -> None:
        self.finished = self.finished or name == "speaker"

    def _at(self, at_ns: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._events, (at_ns, next(self._order), action))

    def _late_ns(self) -> int:
        self._drawn += 1
        return int(self._jitter[self._drawn % len(self._jitter)])

    def _block(self) -> None:
        """The device takes a block; the next one is due by its own clock."""
        self.device.block()
        due_ns = UPTIME_NS + round(self.device.blocks * BLOCK * 1e9 / (RATE_HZ * (1.0 + DEVICE_PPM * 1e-6)))
        self._at(due_ns, self._block)

    def _frame(self) -> None:
        """A frame is captured; its motion arrives a little later."""
        captured_ns = self.now_ns
        motion = Motion(
            flow=np.zeros((2, FLOW_GRID, FLOW_GRID), np.float32),
            speed=np.zeros((FLOW_GRID, FLOW_GRID), np.float32),
            embedding=np.zeros(EMBEDDING_DIM, np.float32),
            capture_ns=captured_ns,
            stamps={"camera": captured_ns},
        )
        self._at(captured_ns + MOTION_NS + self._late_ns(), lambda: self._publish(motion))
        self._at(captured_ns + round(TICK_NS * (1.0 - CAMERA_PPM * 1e-6)), self._frame)

    def _publish(self, message: Message) -> None:
        """Hand a message to every stage that reads it."""
        topic = type(message).__name__.lower()
        if isinstance(message, Tokens):
            self._tokens_tick = message.tick
            if self._speaker_tick > min(SETTLED_TICKS, self.ticks // 2):
                lead = self._tokens_tick - self._speaker_tick
                self._last_leads.append(lead)
                if len(self._first_leads) < LEADS:
                    self._first_leads.append(lead)
        elif isinstance(message, Speaker):
            self._speaker_tick = message.tick
        if isinstance(message, Hearing):
            image = np.zeros((8, 8, 3), np.uint8)
            picture = Picture(tick=message.tick, image=image, capture_ns=message.capture_ns)
            self._at(self.now_ns + WAY_NS + self._late_ns(), lambda: self._publish(picture))
        for host in self.hosts.values():
            if topic in host.reads and host.put(message):
                self._step(host)

    def _step(self, host: VirtualHost) -> None:
        inputs = Inputs(messages=host.inbox, started=True)
        host.inbox = {}
        for message in host.stage.step(inputs, self.now_ns):
            self._at(self.now_ns + WAY_NS, functools.partial(self._publish, message))
        self._plan(host)

    def _plan(self, host: VirtualHost) -> None:
        """Wake a stage when it wants to be woken: a tick's latch on time, what only looks less often."""
        wake_ns = host.stage.wake_ns()
        if wake_ns is None:
            host.wake_ns = None
            return
        if not isinstance(host.stage, TokensStage):
            wake_ns = max(wake_ns, self.now_ns + COARSE_NS)
        if host.wake_ns == wake_ns:
            return
        host.wake_ns = wake_ns

        def wake() -> None:
            if host.wake_ns == wake_ns:
                host.wake_ns = None
                self._step(host)

        self._at(wake_ns, wake)

    def _gather(self) -> None:
        for host in self.hosts.values():
            host.gather()

"""The bench's ear and hand at the audio device: records what the show plays, and writes impulses to its microphone.

`python -m benchmarks.rig.probe` runs until its stdin ends. It connects itself to the ports of the show as soon as
they appear, and again after a restart. The impulses begin when the camera or the screen of the show has begun.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.rig.jack_client import CAPTURE, IS_INPUT, IS_OUTPUT, PLAYBACK, Cycle, JackClient
from benchmarks.rig.trial_plan import (
    CAMERA_LOG,
    CYCLES,
    HEARD,
    PROBE_LOG,
    SCREEN_LOG,
    TrialPlan,
    read_camera_log,
    read_plan,
)
from streaming.system.realtime import request_realtime

CLIENT = "bench"
RING_S = 8
MAX_CYCLES = 8_192
REALTIME = 18
FLUSH_S = 0.05
IMPULSE_S = 0.002
"""An impulse is 2 ms of noise, which has every band."""
IMPULSE_PEAK = 0.9
BURST_S, BURST_HZ = 0.1, 1_000.0
"""The burst that lights an LED: through a capacitor-coupled output only alternating voltage passes."""


class ProbeLog(msgspec.Struct, kw_only=True):
    """What a probe says at its end.

    Attributes:
        rate_hz: of the server.
        period_frames: of a cycle.
        playback_frames: what the server says a sample takes to leave the device.
        capture_frames: what it says a sample takes from the device.
        impulse_positions: the position in the recording at which each was written.
        lost_samples: that the recording lacks.
        connected: the show's ports.
    """

    rate_hz: int
    period_frames: int
    playback_frames: int
    capture_frames: int
    impulse_positions: list[int] = msgspec.field(default_factory=list)
    lost_samples: int = 0
    connected: list[str] = msgspec.field(default_factory=list)


@dataclass
class ProbeTrack:
    """The recording between JACK's thread, which fills it, and the thread that writes files.

    Attributes:
        samples: float32 ring.
        cycles: int64 ring [MAX_CYCLES, 3]: position of the cycle's first sample, when it was called, its length.
        written: samples so far.
        count: cycles so far.
        lost: samples missing between cycles.
    """

    samples: NDArray[np.float32]
    cycles: NDArray[np.int64] = field(default_factory=lambda: np.zeros((MAX_CYCLES, 3), np.int64))
    written: int = 0
    count: int = 0
    lost: int = 0
    next_frame: int | None = None

    def take(self, cycle: Cycle, sound: NDArray[np.float32]) -> None:
        """Copy one cycle."""
        size, length = self.samples.shape[0], sound.shape[0]
        if self.next_frame is not None:
            self.lost += (cycle.frame - self.next_frame) % 2**32
        self.next_frame = (cycle.frame + length) % 2**32
        at = self.written % size
        first = min(length, size - at)
        self.samples[at : at + first] = sound[:first]
        self.samples[: length - first] = sound[first:]
        self.cycles[self.count % MAX_CYCLES] = (self.written, cycle.begin_ns, length)
        self.written += length
        self.count += 1


@dataclass
class ImpulseQueue:
    """The signals that are still to be written to an output, in order of time."""

    wave: NDArray[np.float32]
    due_ns: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    _rest: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))

    def write(self, cycle: Cycle, out: NDArray[np.float32], position: int) -> None:
        """Write what is due in a cycle; what does not fit goes into the next ones."""
        count = min(self._rest.shape[0], out.shape[0])
        out[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        if len(self.positions) >= len(self.due_ns) or self.due_ns[len(self.positions)] >= cycle.end_ns:
            return
        span_ns, length = max(1, cycle.end_ns - cycle.begin_ns), out.shape[0]
        at = max(0, (self.due_ns[len(self.positions)] - cycle.begin_ns) * length // span_ns)
        count = min(self.wave.shape[0], length - at)
        out[at : at + count] = self.wave[:count]
        self._rest = self.wave[count:]
        self.positions.append(position + at)


def impulse(rate: int) -> NDArray[np.float32]:
    """The sound of an impulse, float32 [n]."""
    noise = np.random.default_rng(1).uniform(-1.0, 1.0, round(IMPULSE_S * rate)).astype(np.float32)
    return np.asarray(IMPULSE_PEAK * noise / np.abs(noise).max(), np.float32)


def burst(rate: int) -> NDArray[np.float32]:
    """The signal that lights an LED, float32 [n]: a square wave, so that the light begins with its first sample."""
    time = np.arange(round(BURST_S * rate)) / rate
    return np.where(np.sin(2.0 * np.pi * BURST_HZ * time) >= 0.0, 1.0, -1.0).astype(np.float32)


class Probe:
    """Records and plays; see the module.

    Args:
        plan: what to do.
    """

    def __init__(self, plan: TrialPlan) -> None:
        self._plan = plan
        self._track: ProbeTrack | None = None
        self._queue: ImpulseQueue | None = None
        self._flushed = self._flushed_cycles = 0
        self._client = JackClient(CLIENT, self._on_cycle, inputs=("heard",), outputs=("impulse",))
        rate = self._client.rate
        self._queue = ImpulseQueue(burst(rate) if plan.led else impulse(rate))
        self._track = ProbeTrack(np.zeros(RING_S * rate, np.float32))
        self._connected: set[str] = set()
        self._pairs: set[tuple[str, str]] = set()

    def run(self, ended: threading.Event) -> None:
        """Record until the event is set, then leave the log."""
        begun = False
        with self._plan.path(HEARD).open("wb") as sound, self._plan.path(CYCLES).open("wb") as cycles:
            while not ended.wait(FLUSH_S):
                self._connect()
                if not begun and self._show_has_begun():
                    begun = True
                    self._begin()
                self._flush(sound, cycles)
            self._flush(sound, cycles)
        self._plan.path(PROBE_LOG).write_bytes(msgspec.json.encode(self._log()))
        self._client.close()

    def _on_cycle(self, cycle: Cycle) -> None:
        if self._track is None or self._queue is None:
            return
        self._queue.write(cycle, cycle.outputs[0], self._track.written)
        self._track.take(cycle, cycle.inputs[0])

    def _show_has_begun(self) -> bool:
        shown = self._plan.path(SCREEN_LOG)
        return bool(read_camera_log(self._plan.path(CAMERA_LOG))) or (shown.exists() and shown.stat().st_size > 0)

    def _begin(self) -> None:
        assert self._track is not None
        assert self._queue is not None
        times_s = self._plan.flashes_s if self._plan.led else self._plan.impulses_s
        now_ns = int(self._track.cycles[(self._track.count - 1) % MAX_CYCLES][1])
        self._queue.due_ns = [now_ns + round(time * 1e9) for time in times_s]

    def _connect(self) -> None:
        """Connect to every port of the show; a sound card keeps what the show plays, and its microphone is replaced."""
        client, plan = self._client, self._plan
        own = f"{CLIENT}:"
        # Each connection is a request to the server: it is made once, and again for a port that has come back.
        there = {*client.ports(IS_INPUT), *client.ports(IS_OUTPUT)}
        self._pairs = {pair for pair in self._pairs if there.issuperset(pair)}
        if plan.led:
            # On a sound card the left output is the LED's, and the right input hears the loudspeaker.
            self._join(f"{own}impulse", _side(client.ports(IS_INPUT), "system:playback", 0))
            self._join(_side(client.ports(IS_OUTPUT), "system:capture", 1), f"{own}heard")
            left = _side(client.ports(IS_INPUT), "system:playback", 0)
            for port in client.ports(IS_OUTPUT):
                if not port.startswith((own, "system:")):
                    client.disconnect(port, left)
            return
        outputs = [port for port in client.ports(IS_OUTPUT) if not port.startswith((own, "system:"))]
        inputs = [port for port in client.ports(IS_INPUT) if not port.startswith((own, "system:"))]
        for port in (port for port in outputs if port.endswith(":out_0")):
            self._join(port, f"{own}heard")
        for port in inputs:
            if self._join(f"{own}impulse", port):
                for microphone in client.ports(IS_OUTPUT):
                    if microphone.startswith("system:"):
                        client.disconnect(microphone, port)

    def _join(self, source: str, sink: str) -> bool:
        if not source or not sink or (source, sink) in self._pairs or not self._client.connect(source, sink):
            return False
        self._pairs.add((source, sink))
        self._connected.add(f"{source} > {sink}")
        return True

    def _flush(self, sound: object, cycles: object) -> None:
        """Write what is new to the files."""
        track = self._track
        assert track is not None
        written, count = track.written, track.count
        places = np.arange(self._flushed, written) % track.samples.shape[0]
        track.samples[places].tofile(sound)
        rows = np.arange(self._flushed_cycles, count) % MAX_CYCLES
        track.cycles[rows].tofile(cycles)  # type: ignore[arg-type]
        self._flushed, self._flushed_cycles = written, count

    def _log(self) -> ProbeLog:
        client, track, queue = self._client, self._track, self._queue
        assert track is not None
        assert queue is not None
        playback = client.latency_frames(_side(client.ports(IS_INPUT), "system:playback", 0), PLAYBACK)
        capture = client.latency_frames(_side(client.ports(IS_OUTPUT), "system:capture", 0), CAPTURE)
        return ProbeLog(
            rate_hz=client.rate,
            period_frames=client.period,
            playback_frames=playback,
            capture_frames=capture,
            impulse_positions=queue.positions,
            lost_samples=track.lost,
            connected=sorted(self._connected),
        )


def _side(ports: list[str], prefix: str, number: int) -> str:
    """The port of a side of the sound card; "" where it has none."""
    own = [port for port in ports if port.startswith(prefix)]
    return own[min(number, len(own) - 1)] if own else ""


def main() -> int:
    """Run until stdin ends.

    Returns:
        The exit status.
    """
    probe = Probe(read_plan())
    # As the stages of the show: a thread that waits for the interpreter's lock would hold up the whole server.
    sys.setswitchinterval(0.0005)
    request_realtime(REALTIME)
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    probe.run(ended)
    return 0


if __name__ == "__main__":
    sys.exit(main())

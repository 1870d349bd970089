"""Watches a real show from outside: its processes' memory and descriptors, its counters, drift and latency by time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.budget.tick_log import TOPICS
from benchmarks.rig.stamp_listener import MessageListener
from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.schema.messages import Message, Screen, Sound, Speaker, Tokens
from streaming.timing import clock

MOST_ROWS = 240
SHORTEST_S = 2.0


@dataclass
class _Interval:
    """What has been heard since the last row."""

    forward_ms: list[float] = field(default_factory=list)
    reverse_ms: list[float] = field(default_factory=list)
    leads: list[int] = field(default_factory=list)


class SoakWatch:
    """Adds a row to `rows` every few seconds, from threads of its own, until it is closed.

    Args:
        run_dir: the show's run folder, where each process's id is.
        seconds: how long the show lasts; there are at most `MOST_ROWS` rows.
        now_ns: reads the clock.

    Attributes:
        rows: each `{at_s, forward_p50, forward_p99, forward_max, reverse_p50, reverse_p99, reverse_max, played,
            concealed, lead_ticks, ppm, processes{NAME: {rss_mb, descriptors}}}`; ms, null for nothing heard.
    """

    def __init__(self, run_dir: Path, seconds: float, now_ns: Callable[[], int] = clock.now_ns) -> None:
        self._run_dir, self._now_ns = run_dir, now_ns
        self.interval_s = max(SHORTEST_S, seconds / MOST_ROWS)
        self.rows: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._interval = _Interval()
        self._speaker: Speaker | None = None
        self._begin_ns: int | None = None
        self._fresh: dict[int, int] = {}
        self._ended = threading.Event()
        self._listener = MessageListener(run_dir, TOPICS, self.take)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join(5.0)
        self._listener.close()

    def take(self, message: Message) -> None:
        """Take in a message of the show."""
        with self._lock:
            if isinstance(message, Speaker):
                self._take_speaker(message)
            elif isinstance(message, Sound) and message.fresh:
                self._fresh[message.tick] = message.capture_ns
                while len(self._fresh) > 64:
                    self._fresh.pop(next(iter(self._fresh)))
            elif isinstance(message, Tokens) and self._speaker is not None:
                self._interval.leads.append(message.tick - self._speaker.tick)
            elif isinstance(message, Screen) and message.capture_ns:
                self._interval.reverse_ms.append((message.shown_ns - message.capture_ns) / 1e6)

    def sample(self) -> None:
        """Add a row."""
        processes = self._processes()
        with self._lock:
            interval, self._interval = self._interval, _Interval()
            speaker, now_ns = self._speaker, self._now_ns()
            if self._begin_ns is None:
                if speaker is None and not interval.reverse_ms:
                    return
                self._begin_ns = now_ns
        row: dict[str, Any] = {"at_s": round((now_ns - self._begin_ns) / 1e9, 1)}
        for way, values in (("forward", interval.forward_ms), ("reverse", interval.reverse_ms)):
            p50, p99 = np.percentile(values, (50, 99)) if values else (None, None)
            row[f"{way}_p50"] = None if p50 is None else round(float(p50), 2)
            row[f"{way}_p99"] = None if p99 is None else round(float(p99), 2)
            row[f"{way}_max"] = round(max(values), 2) if values else None
        row["played"], row["concealed"] = (speaker.played, speaker.concealed) if speaker else (None, None)
        row["lead_ticks"] = max(interval.leads) if interval.leads else None
        row["ppm"] = round((speaker.rate_hz / SAMPLE_RATE - 1.0) * 1e6, 1) if speaker else None
        row["processes"] = processes
        self.rows.append(row)

    def _take_speaker(self, speaker: Speaker) -> None:
        self._speaker = speaker
        for tick in [tick for tick in self._fresh if tick <= speaker.tick]:
            leaves_ns = speaker.dac_ns + (tick - speaker.tick) * TICK_SAMPLES / speaker.rate_hz * 1e9
            self._interval.forward_ms.append((leaves_ns - self._fresh.pop(tick)) / 1e6)

    def _processes(self) -> dict[str, dict[str, float]]:
        """Memory and descriptors of each process of the show, by its id file."""
        found = {}
        for file in sorted(self._run_dir.glob("*.pid")):
            with contextlib.suppress(OSError, ValueError, psutil.Error):
                process = psutil.Process(int(file.read_text()))
                descriptors = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
                found[file.stem] = {"rss_mb": round(process.memory_info().rss / 1e6, 3), "descriptors": descriptors}
        return found

    def _run(self) -> None:
        while not self._ended.wait(self.interval_s):
            self.sample()

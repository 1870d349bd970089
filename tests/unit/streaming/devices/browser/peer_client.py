"""The other side of a connection, by aiortc, in the test's own process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

RATE = 48_000


class TestPicture(MediaStreamTrack):
    """A plain picture 320 x 240, 25 times a second."""

    __test__ = False
    kind = "video"

    def __init__(self, colour: tuple[int, int, int]) -> None:
        super().__init__()
        self.colour, self._tick = colour, 0

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0.04)
        frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), self.colour, np.uint8), format="bgr24")
        frame.pts, frame.time_base, self._tick = self._tick * 3600, Fraction(1, 90_000), self._tick + 1
        return frame


class TestTone(MediaStreamTrack):
    """A tone in packets of 20 ms, paced by the event loop's clock; mono or stereo."""

    __test__ = False
    kind = "audio"

    def __init__(self, hz: float, channels: int = 1) -> None:
        super().__init__()
        self._hz, self._channels, self._tick = hz, channels, 0
        self._begin = 0.0

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._begin = self._begin or loop.time()
        await asyncio.sleep(max(0.0, self._begin + self._tick * 0.02 - loop.time()))
        at = np.arange(960) + self._tick * 960
        wave = np.rint(np.sin(2 * np.pi * self._hz * at / RATE) * 12_000).astype(np.int16)
        samples = np.repeat(wave, self._channels).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono" if self._channels == 1 else "stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._tick * 960, Fraction(1, RATE)
        self._tick += 1
        return frame


class PeerClient:
    """One that sends or gets; `ask` passes its offer on and gives the reply of the browser process."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.got: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.connection.on("track", self._on_track)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._read(track)))

    async def _read(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            self.got.setdefault(track.kind, []).append(frame)
            del self.got[track.kind][:-50]

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return str(self.connection.localDescription.sdp)

    async def connect(self, path: Path, do: str) -> dict[str, Any]:
        reply = await ask(path, {"do": do, "offer": await self.offer()})
        if reply["status"] == 201:
            await self.accept(reply["answer"])
        return reply

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.connection.close()


async def ask(path: Path, question: dict[str, Any]) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(path), limit=131_072)
    writer.write(json.dumps(question).encode() + b"\n")
    reply: dict[str, Any] = json.loads(await reader.readline())
    writer.close()
    return reply


async def until(condition: Callable[[], object], seconds: float = 20.0) -> Any:
    """What a condition gives, once that is something."""
    for _ in range(round(seconds * 50)):
        if found := condition():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("it never happened")

"""WebRTC peers through aiortc: who sends the show its camera and microphone, and who sees and hears it.

Connections use addresses of this machine alone (host candidates); no STUN or TURN server is asked. Of the addresses
that an offer names only numbers are used: a name would have to be looked up in the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import aioice.ice
import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtcrtpreceiver
from aiortc.codecs import h264, vpx
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

from streaming.conventions import SAMPLE_RATE
from streaming.devices.browser.local_link import LinkBlock
from streaming.devices.browser.media_streams import NewestItem, SoundReader, SoundStream
from streaming.devices.browser.offer_text import OfferError, checked_offer, offered_kinds
from streaming.devices.browser.speaker import PACKET_S, RATE, SIDES

MOST_VIEWERS = 8
DEFAULT_BITRATE, MAX_BITRATE = 3_000_000, 8_000_000
"""Bits a second of what is sent."""
SILENT_NS = 2_000_000_000
"""A sender that has sent nothing for so long may be replaced by another."""
CONNECT_S = 15.0
"""In which an answered offer must become a connection."""
SENDS, GETS = {"video": "camera", "audio": "microphone"}, {"video": "screen", "audio": "speaker"}
"""Kind of track -> the device, of those that send and of those that get."""
_PACKET = round(PACKET_S * RATE)
_every_address = aioice.ice.get_host_addresses


@dataclass
class MediaStreams:
    """What the peers fill and read."""

    camera: NewestItem[tuple[int, av.VideoFrame]] = field(default_factory=NewestItem)
    microphone: SoundStream = field(default_factory=SoundStream)
    screen: NewestItem[LinkBlock] = field(default_factory=NewestItem)
    speaker: SoundStream = field(default_factory=SoundStream)


@dataclass
class MediaPeer:
    """One connection.

    Attributes:
        connection: of aiortc.
        kinds: the devices that it is for.
        sends: it sends camera or microphone.
        heard_ns: when its last picture or sound came, or when it was answered.
        tasks: what runs for it.
    """

    connection: RTCPeerConnection
    kinds: frozenset[str]
    sends: bool
    heard_ns: int
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class PictureTrack(MediaStreamTrack):
    """The show's pictures, for one viewer.

    Args:
        pictures: the newest picture.
        now_ns: reads the clock.
    """

    kind = "video"

    def __init__(self, pictures: NewestItem[LinkBlock], now_ns: Callable[[], int]) -> None:
        super().__init__()
        self._pictures, self._now_ns = pictures, now_ns
        self._number = 0
        self._first_ns: int | None = None

    async def recv(self) -> av.VideoFrame:
        """The next picture that is newer than the last one."""
        if self.readyState != "live":
            raise MediaStreamError
        self._number, block = await self._pictures.after(self._number)
        image = np.frombuffer(block.data, np.uint8).reshape(block.height, block.width, 3)
        even = np.ascontiguousarray(image[: block.height & ~1, : block.width & ~1])
        frame = av.VideoFrame.from_ndarray(even, format="bgr24")
        now_ns = self._now_ns()
        self._first_ns = now_ns if self._first_ns is None else self._first_ns
        frame.pts, frame.time_base = (now_ns - self._first_ns) * 9 // 100_000, Fraction(1, 90_000)
        return frame


class SoundTrack(MediaStreamTrack):
    """The show's sound, for one listener.

    Args:
        sound: float32 at 48 kHz, both sides in turn.
    """

    kind = "audio"

    def __init__(self, sound: SoundStream) -> None:
        super().__init__()
        self._sound = sound
        self._reader: SoundReader | None = None
        self._held = np.zeros((0, SIDES), np.float32)
        self._position = 0

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms."""
        if self.readyState != "live":
            raise MediaStreamError
        self._reader = self._reader or self._sound.read()
        while self._held.shape[0] < _PACKET:
            block = await self._reader.take()
            self._held = np.concatenate([self._held, np.frombuffer(block.data, np.float32).reshape(-1, SIDES)])
        samples, self._held = self._held[:_PACKET], self._held[_PACKET:]
        whole = np.rint(np.clip(samples, -1.0, 1.0) * np.float32(32767.0)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._position, Fraction(1, RATE)
        self._position += _PACKET
        return frame

    def stop(self) -> None:
        """End it."""
        super().stop()
        if self._reader is not None:
            self._sound.leave(self._reader)
            self._reader = None


class MediaPeers:
    """All connections of a show.

    Args:
        kinds: the devices that are browsers.
        hosts: the addresses of this machine that connections use; empty for all.
        note: says one line to the user.
        now_ns: reads the clock.
    """

    def __init__(
        self, kinds: Sequence[str], hosts: Sequence[str], note: Callable[[str], None], now_ns: Callable[[], int]
    ) -> None:
        self.streams = MediaStreams()
        self._kinds, self._note, self._now_ns = frozenset(kinds), note, now_ns
        self._peers: dict[str, MediaPeer] = {}
        self._answering = asyncio.Lock()
        use_addresses(hosts)

    async def publish(self, offer: str) -> tuple[str, str]:
        """Answer one who wants to send camera or microphone.

        Returns:
            The name by which the connection is ended, and the answer.

        Raises:
            OfferError: when another one sends already, and for an offer that cannot be answered.
        """
        return await self._answer(offer, SENDS, sends=True)

    async def view(self, offer: str) -> tuple[str, str]:
        """Answer one who wants to see or hear the show.

        Raises:
            OfferError: when there are too many, and for an offer that cannot be answered.
        """
        return await self._answer(offer, GETS, sends=False)

    async def end(self, name: str) -> bool:
        """End a connection; False when there is none of this name."""
        peer = self._peers.pop(name, None)
        if peer is None:
            return False
        await _close(peer)
        what = " and ".join(sorted(peer.kinds))
        self._note(f"the browser that sent its {what} has gone" if peer.sends else f"a browser has left the {what}")
        return True

    async def close(self) -> None:
        """End all connections."""
        while self._peers:
            await _close(self._peers.popitem()[1])

    async def _answer(self, offer: str, devices: dict[str, str], *, sends: bool) -> tuple[str, str]:
        # One at a time, so that two cannot become the one sender.
        async with self._answering:
            connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
            peer = MediaPeer(connection, frozenset(), sends, self._now_ns())
            try:
                answer = await self._negotiate(peer, checked_offer(offer), devices)
            except BaseException as error:
                # Also when the time for an answer is over, which cancels this.
                await _close(peer)
                if isinstance(error, OfferError) or not isinstance(error, Exception):
                    raise
                # aiortc and its parsers raise all kinds of errors for offers that are wrong.
                raise OfferError(400, f"the offer cannot be answered ({type(error).__name__})") from error
            name = secrets.token_urlsafe(12)
            self._peers[name] = peer
            peer.tasks.append(asyncio.create_task(self._watch(name, peer)))
            return name, answer

    async def _negotiate(self, peer: MediaPeer, offer: str, devices: dict[str, str]) -> str:
        connection = peer.connection
        offered = offered_kinds(offer, "sendonly" if peer.sends else "recvonly")
        peer.kinds = frozenset(devices[kind] for kind in offered) & self._kinds
        if not peer.kinds:
            asked = " and ".join(f"--{one} browser" for one in sorted(devices.values()))
            raise OfferError(404, f"nothing of what is offered is wanted: this show was started without {asked}")
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self._make_room(peer)
        wanted = "recvonly" if peer.sends else "sendonly"
        done: set[str] = set()
        for transceiver in connection.getTransceivers():
            kind = transceiver.kind
            if devices[kind] not in peer.kinds or kind in done:
                transceiver.direction = "inactive"
                continue
            done.add(kind)
            transceiver.direction = wanted
            if peer.sends:
                reading = self._read_camera if kind == "video" else self._read_microphone
                peer.tasks.append(asyncio.create_task(_until_end(reading(peer, transceiver.receiver.track))))
            else:
                transceiver.sender.replaceTrack(self._track_of(kind))
        await connection.setLocalDescription(await connection.createAnswer())
        return str(connection.localDescription.sdp)

    def _track_of(self, kind: str) -> MediaStreamTrack:
        if kind == "video":
            return PictureTrack(self.streams.screen, self._now_ns)
        return SoundTrack(self.streams.speaker)

    async def _make_room(self, peer: MediaPeer) -> None:
        """End a sender that is silent; refuse another one, and a viewer too many."""
        others = {name: one for name, one in self._peers.items() if one.sends == peer.sends}
        if not peer.sends:
            if len(others) >= MOST_VIEWERS:
                raise OfferError(503, f"{MOST_VIEWERS} browsers see and hear the show already")
            return
        for name, one in others.items():
            if taken := one.kinds & peer.kinds:
                if self._now_ns() - one.heard_ns < SILENT_NS:
                    raise OfferError(409, f"another browser sends its {' and '.join(sorted(taken))} already")
                await self.end(name)

    async def _watch(self, name: str, peer: MediaPeer) -> None:
        """End a connection that does not come about or breaks; say that one has come."""
        states: asyncio.Queue[str] = asyncio.Queue(64)
        connection = peer.connection

        def tell() -> None:
            with contextlib.suppress(asyncio.QueueFull):
                states.put_nowait(connection.connectionState)

        connection.on("connectionstatechange", tell)
        tell()
        try:
            async with asyncio.timeout(CONNECT_S):
                while await states.get() != "connected":
                    if connection.connectionState in ("failed", "closed"):
                        raise TimeoutError
        except TimeoutError:
            self._peers.pop(name, None)
            await _close(peer)
            return
        what = " and ".join(sorted(peer.kinds))
        self._note(f"a browser sends its {what}" if peer.sends else f"a browser is {what}")
        while await states.get() not in ("failed", "closed"):
            continue
        await self.end(name)

    async def _read_camera(self, peer: MediaPeer, track: MediaStreamTrack) -> None:
        """Every picture as it comes; only the newest is used."""
        while True:
            frame = await track.recv()
            peer.heard_ns = self._now_ns()
            self.streams.camera.put((peer.heard_ns, frame))

    async def _read_microphone(self, peer: MediaPeer, track: MediaStreamTrack) -> None:
        """Every piece of sound, mixed to mono at the show's rate."""
        resampler = av.AudioResampler(format="flt", rate=SAMPLE_RATE)
        while True:
            frame = await track.recv()
            peer.heard_ns = self._now_ns()
            frame.pts = None
            for part in resampler.resample(frame):
                self.streams.microphone.put(LinkBlock(_mono(part).tobytes(), at_ns=peer.heard_ns))


def _mono(part: Any) -> NDArray[np.float32]:
    channels = part.layout.nb_channels
    plane = np.frombuffer(part.planes[0], np.float32)[: part.samples * channels]
    return np.asarray(plane.reshape(-1, channels).mean(1), np.float32)


async def _until_end(reading: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(MediaStreamError):
        await reading


async def _close(peer: MediaPeer) -> None:
    """End a connection; also from one of its own tasks, which goes on."""
    for task in peer.tasks:
        if task is not asyncio.current_task():
            task.cancel()
    for sender in peer.connection.getSenders():
        if sender.track is not None:
            sender.track.stop()
    await peer.connection.close()


def _short_buffer(capacity: int, prefetch: int = 0, is_video: bool = False) -> JitterBuffer:
    """A buffer of received packets that holds back one at most."""
    return JitterBuffer(capacity, min(prefetch, 1), is_video)


def use_addresses(hosts: Sequence[str]) -> None:
    """Bind connections to these addresses alone; aioice by itself leaves out this machine's own, and takes all others.

    The quality of what is sent is raised too: aiortc's limits are those of a slow line. So is its promptness: aiortc
    holds back four packets of sound, 80 ms, where one keeps their order as well.
    """

    def addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return list(hosts) or ["127.0.0.1", *_every_address(use_ipv4, use_ipv6)]

    aioice.ice.get_host_addresses = addresses
    vars(rtcrtpreceiver)["JitterBuffer"] = _short_buffer
    vpx.DEFAULT_BITRATE, vpx.MAX_BITRATE = DEFAULT_BITRATE, MAX_BITRATE
    h264.DEFAULT_BITRATE, h264.MAX_BITRATE = DEFAULT_BITRATE, MAX_BITRATE

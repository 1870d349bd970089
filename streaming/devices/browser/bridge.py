"""The browser process's server: stages take and give media by a local socket, the console asks by it for answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streaming.devices.browser.local_link import HEAD, MAX_BLOCK, MAX_LINE, LinkBlock
from streaming.devices.browser.offer_text import OfferError
from streaming.devices.cameras.frames import fitted_size
from streaming.devices.optional import missing
from streaming.errors import UserError
from streaming.system.realtime import take_normal_priority
from streaming.timing import clock

if TYPE_CHECKING:
    from streaming.devices.browser.peers import MediaPeers

ASK_S = 15.0
"""In which an offer must be answered."""
_SEND_BYTES = 1_048_576
_CLOSE_S = 2.0


class BrowserBridge:
    """Serves the local socket in a thread of its own.

    Args:
        path: of the socket.
        kinds: the devices that are browsers.
        hosts: see `MediaPeers`.
        note: says one line to the user; called in the thread.

    Raises:
        UserError: when aiortc is missing, or the socket cannot be made.
    """

    def __init__(self, path: Path, kinds: Sequence[str], hosts: Sequence[str], note: Callable[[str], None]) -> None:
        try:
            from streaming.devices.browser.peers import MediaPeers
        except (ImportError, OSError) as error:
            where = f"--{kinds[0]} browser" if kinds else "browser"
            raise missing("browser", where, error, "use another device") from error
        self._path, self._kinds = path, frozenset(kinds)
        self._socket = _listen(path)
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._peers: MediaPeers = MediaPeers(kinds, hosts, note, clock.now_ns)
        self._given: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="browsers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all connections and remove the socket; may be called twice."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(_CLOSE_S)
        self._path.unlink(missing_ok=True)

    # What follows runs in the thread.

    def _run(self) -> None:
        take_normal_priority()
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._talk(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_unix_server(accept, sock=self._socket, limit=MAX_LINE)
        await self._end.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._peers.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            message = json.loads(await reader.readline())
            do, kind = message.get("do"), message.get("kind")
            if do == "take" and kind == "camera":
                await _while_there(reader, self._send_camera(writer))
            elif do == "take" and kind == "microphone":
                await _while_there(reader, self._send_microphone(writer))
            elif do == "give" and kind in ("screen", "speaker"):
                await self._take(reader, kind)
            else:
                writer.write(json.dumps(await self._ask(do, message)).encode() + b"\n")
                await writer.drain()
        except (OSError, EOFError, ValueError, AttributeError, asyncio.LimitOverrunError):
            return  # The other side has gone, or does not speak this.
        finally:
            writer.close()

    async def _ask(self, do: object, message: dict[str, Any]) -> dict[str, Any]:
        if do == "end":
            return {"status": 200 if await self._peers.end(str(message.get("name"))) else 404}
        answers: dict[object, Callable[[str], Awaitable[tuple[str, str]]]] = {
            "publish": self._peers.publish,
            "view": self._peers.view,
        }
        if do == "kinds":
            return {"status": 200, "kinds": sorted(self._kinds)}
        if do not in answers:
            return {"status": 400, "refused": "is nothing that the browser process does"}
        try:
            async with asyncio.timeout(ASK_S):
                name, answer = await answers[do](str(message.get("offer", "")))
        except OfferError as refusal:
            return {"status": refusal.status, "refused": refusal.why}
        except TimeoutError:
            return {"status": 503, "refused": "the offer could not be answered in time"}
        return {"status": 201, "name": name, "answer": answer}

    async def _send_camera(self, writer: asyncio.StreamWriter) -> None:
        """The newest picture, whenever the stage has taken the last one."""
        peer: socket.socket = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        writer.transport.set_write_buffer_limits(high=0)
        camera = self._peers.streams.camera
        number = camera.number
        while True:
            number, (at_ns, frame) = await camera.after(number)
            block = await asyncio.to_thread(_picture_of, frame, at_ns)
            writer.write(block.pack() + block.data)
            await writer.drain()

    async def _send_microphone(self, writer: asyncio.StreamWriter) -> None:
        stream = self._peers.streams.microphone
        reader = stream.read()
        try:
            while True:
                block = await reader.take()
                writer.write(block.pack() + block.data)
                await writer.drain()
        finally:
            stream.leave(reader)

    async def _take(self, reader: asyncio.StreamReader, kind: str) -> None:
        """What a stage gives: pictures or sound."""
        while True:
            length, width, height, at_ns = HEAD.unpack(await reader.readexactly(HEAD.size))
            if length > MAX_BLOCK:
                return
            block = LinkBlock(await reader.readexactly(length), width, height, at_ns)
            if kind == "speaker" and length % 8 == 0:
                self._peers.streams.speaker.put(block)
            elif kind == "screen" and length == 3 * width * height > 0:
                self._peers.streams.screen.put(block)


async def _while_there(reader: asyncio.StreamReader, sending: Any) -> None:
    """Send until the stage, which itself says nothing, has gone."""
    gone = asyncio.create_task(reader.read(1))
    task = asyncio.create_task(sending)
    try:
        await asyncio.wait({gone, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in (gone, task):
            one.cancel()
        await asyncio.gather(gone, task, return_exceptions=True)


def _picture_of(frame: Any, at_ns: int) -> LinkBlock:
    """A frame, reduced to the size that a camera publishes, BGR."""
    width, height = fitted_size(frame.width, frame.height)
    image = frame.reformat(width=width, height=height, format="bgr24", interpolation="AREA").to_ndarray()
    return LinkBlock(image.tobytes(), width, height, at_ns)


def _listen(path: Path) -> socket.socket:
    """A socket that only this user may connect to."""
    if not hasattr(socket, "AF_UNIX"):
        fix = "use Linux or macOS, or another device"
        raise UserError("browsers as devices need local sockets, which this system lacks", "browser", fix)
    try:
        path.unlink(missing_ok=True)
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.bind(str(path))
        os.chmod(path, 0o600)
        one.listen(32)
    except OSError as error:
        raise UserError(f"cannot be made ({error.strerror})", str(path), "give --run-dir another folder") from error
    return one

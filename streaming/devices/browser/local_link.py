"""The socket in the run folder by which the browser process hands pictures and sound to the stages, and takes theirs.

A connection begins with one line of JSON that says what it is for. A stage takes what browsers send
(`{"do": "take", "kind": "camera"}`) or gives what they are to get (`{"do": "give", "kind": "speaker"}`); from then on
blocks go one way: a head of 16 bytes, and raw samples or pixels.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections import deque
from pathlib import Path
from typing import NamedTuple

from streaming.transport.links import RUN_DIR, default_run_dir

SOCKET = "browser.sock"
MAX_LINE = 131_072
"""Bytes of a line: the longest has a session description in it."""
MAX_BLOCK = 16_777_216
HEAD = struct.Struct("<IHHq")
RETRY_S = 0.25
_PIECE = 262_144


class LinkBlock(NamedTuple):
    """A picture, or a piece of sound.

    Attributes:
        data: uint8 BGR rows, or float32 mono samples.
        width, height: of a picture in pixels; 0 for sound.
        at_ns: when it was received, monotonic; 0 where that means nothing.
    """

    data: bytes
    width: int = 0
    height: int = 0
    at_ns: int = 0

    def pack(self) -> bytes:
        """The head that goes before the data."""
        return HEAD.pack(len(self.data), self.width, self.height, self.at_ns)


def socket_path(run_dir: str = "") -> Path:
    """Where the browser process listens.

    Args:
        run_dir: the show's run folder; "" for that of this stage's show.
    """
    return Path(run_dir or os.environ.get(RUN_DIR, "") or default_run_dir()) / SOCKET


class LocalLink:
    """A stage's connection to the browser process.

    Args:
        path: of the socket.
        do: "take" or "give".
        kind: the device: "camera", "microphone", "screen" or "speaker".

    Raises:
        OSError: when nobody listens.
    """

    def __init__(self, path: Path, do: str, kind: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(2.0)
            self._socket.connect(str(path))
            self._socket.sendall(json.dumps({"do": do, "kind": kind}).encode() + b"\n")
        except OSError:
            self._socket.close()
            raise
        self._held = bytearray()

    def receive(self, wait_s: float) -> LinkBlock | None:
        """The next block; None when none is complete within `wait_s` of the last bytes.

        Raises:
            OSError: when the other side has gone.
        """
        self._socket.settimeout(wait_s)
        while True:
            if len(self._held) >= HEAD.size:
                length, width, height, at_ns = HEAD.unpack_from(self._held)
                if length > MAX_BLOCK:
                    raise OSError("a block of the browser process is too long")
                if len(self._held) >= HEAD.size + length:
                    data = bytes(self._held[HEAD.size : HEAD.size + length])
                    del self._held[: HEAD.size + length]
                    return LinkBlock(data, width, height, at_ns)
            try:
                piece = self._socket.recv(_PIECE)
            except TimeoutError:
                return None
            if not piece:
                raise OSError("the browser process has gone")
            self._held += piece

    def send(self, block: LinkBlock) -> None:
        """Send a block.

        Raises:
            OSError: when the other side has gone, or takes nothing for 2 s.
        """
        self._socket.settimeout(2.0)
        self._socket.sendall(block.pack() + block.data)

    def close(self) -> None:
        """Disconnect; may be called twice."""
        self._socket.close()


class BlockSender:
    """Sends blocks from a thread of its own, so that who gives them never waits; with too many, the oldest are lost.

    Args:
        kind: the device.
        most: blocks that may wait: one for pictures, of which the newest counts.
        path: of the socket.
    """

    def __init__(self, kind: str, most: int, path: Path) -> None:
        self._kind, self._path = kind, path
        self._waiting: deque[LinkBlock] = deque(maxlen=most)
        self._filled, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="to-browser", daemon=True)
        self._thread.start()

    def put(self, block: LinkBlock) -> None:
        """Send this block soon; never blocks."""
        self._waiting.append(block)
        self._filled.set()

    def close(self) -> None:
        """End the thread; may be called twice."""
        self._stop.set()
        self._filled.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                link = LocalLink(self._path, "give", self._kind)
            except OSError:
                self._stop.wait(RETRY_S)
                continue
            with contextlib.suppress(OSError):
                self._send_all(link)
            link.close()

    def _send_all(self, link: LocalLink) -> None:
        while not self._stop.is_set():
            self._filled.wait(0.5)
            self._filled.clear()
            while self._waiting:
                link.send(self._waiting.popleft())

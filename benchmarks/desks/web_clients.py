"""Browsers of the console as far as a show can tell: WebSockets that take all that a page is sent.

`python -m benchmarks.desks.web_clients PORT` opens two. When its input ends, it writes as JSON what they were sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from streaming.timing import clock

WAIT_S = 0.2
MAX_BYTES = 8_000_000


class WebClients:
    """Some browsers with the console open, in a thread of their own, until they are closed.

    Args:
        port: of the console.
        count: how many.

    Attributes:
        messages: what all of them were sent.
        received_bytes: how much that was.
        failures: what went wrong, in words.
    """

    def __init__(self, port: int, count: int = 2) -> None:
        self.messages = self.received_bytes = 0
        self.failures: list[str] = []
        self._port, self._count = port, count
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="browsers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Disconnect."""
        self._ended.set()
        self._thread.join(5.0)

    def figures(self) -> dict[str, Any]:
        """What they were sent, and what went wrong."""
        counts = {"browsers": self._count, "messages": self.messages, "bytes": self.received_bytes}
        return {**counts, "failures": self.failures}

    async def _run(self) -> None:
        await asyncio.gather(*(self._browse() for _ in range(self._count)))

    async def _browse(self) -> None:
        address, origin = f"ws://127.0.0.1:{self._port}/live", Origin(f"http://127.0.0.1:{self._port}")
        begin_ns = clock.now_ns()
        try:
            async with connect(address, origin=origin, max_size=MAX_BYTES, compression=None) as socket:
                await socket.send(json.dumps({"do": "view", "view": "console"}))
                while not self._ended.is_set():
                    try:
                        message = await asyncio.wait_for(socket.recv(), WAIT_S)
                    except TimeoutError:
                        continue
                    self.messages += 1
                    self.received_bytes += len(message)
        except (OSError, WebSocketException) as error:
            at_s = (clock.now_ns() - begin_ns) / 1e9
            self.failures.append(f"after {at_s:.1f} s: {error}")


def main() -> int:
    """Browse until the input ends; returns the exit status."""
    clients = WebClients(int(sys.argv[1]))
    sys.stdin.read()
    clients.close()
    sys.stdout.write(json.dumps(clients.figures()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

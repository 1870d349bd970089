"""A client of a JACK server through JACK's own C library: ports, and a process callback."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.errors import UserError
from streaming.timing import clock

NO_START = 1
IS_INPUT, IS_OUTPUT = 1, 2
CAPTURE, PLAYBACK = 0, 1
AUDIO = b"32 bit float mono audio"

Buffer = NDArray[np.float32]


@dataclass(frozen=True)
class Cycle:
    """One cycle of the server.

    Attributes:
        frame: number of its first frame, by the server's 32-bit counter.
        begin_ns: monotonic time at which the client was called: never early, often late.
        end_ns: the same and the cycle's length.
        inputs: float32 [n] of each input port.
        outputs: the same of each output port; filled with zeros.
    """

    frame: int
    begin_ns: int
    end_ns: int
    inputs: list[Buffer]
    outputs: list[Buffer]


class _Range(ctypes.Structure):
    _fields_ = (("least", ctypes.c_uint32), ("most", ctypes.c_uint32))


_PROCESS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p)


@functools.cache
def library() -> Any:
    """JACK's library.

    Raises:
        UserError: when there is none.
    """
    name = ctypes.util.find_library("jack")
    if name is None:
        raise UserError("JACK's library is missing", "bench latency", "sudo apt install jackd2 (Debian, Ubuntu)")
    lib = ctypes.CDLL(name)
    pointer, text, u32 = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32
    signatures: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "jack_client_open": (pointer, (text, ctypes.c_int, pointer)),
        "jack_client_close": (ctypes.c_int, (pointer,)),
        "jack_activate": (ctypes.c_int, (pointer,)),
        "jack_port_register": (pointer, (pointer, text, text, ctypes.c_ulong, ctypes.c_ulong)),
        "jack_set_process_callback": (ctypes.c_int, (pointer, _PROCESS, pointer)),
        "jack_port_get_buffer": (pointer, (pointer, u32)),
        "jack_last_frame_time": (u32, (pointer,)),
        "jack_get_sample_rate": (u32, (pointer,)),
        "jack_get_buffer_size": (u32, (pointer,)),
        "jack_get_ports": (ctypes.POINTER(text), (pointer, text, text, ctypes.c_ulong)),
        "jack_port_by_name": (pointer, (pointer, text)),
        "jack_port_get_latency_range": (None, (pointer, ctypes.c_int, pointer)),
        "jack_connect": (ctypes.c_int, (pointer, text, text)),
        "jack_disconnect": (ctypes.c_int, (pointer, text, text)),
        "jack_free": (None, (pointer,)),
    }
    for function, (result, arguments) in signatures.items():
        getattr(lib, function).restype = result
        getattr(lib, function).argtypes = arguments
    return lib


class JackClient:
    """A client that runs until it is closed.

    Args:
        name: the client's name.
        process: called with each cycle from JACK's own thread; must not raise.
        inputs: names of its input ports.
        outputs: names of its output ports.

    Raises:
        UserError: when there is no library or no server.
    """

    def __init__(
        self,
        name: str,
        process: Callable[[Cycle], None],
        inputs: tuple[str, ...] = (),
        outputs: tuple[str, ...] = (),
    ) -> None:
        self._lib = library()
        self._client = self._lib.jack_client_open(name.encode(), NO_START, None)
        if not self._client:
            raise UserError("no JACK server answers", "bench latency", "start one, for example with qjackctl")
        self.name, self._process = name, process
        self.rate = int(self._lib.jack_get_sample_rate(self._client))
        self.period = int(self._lib.jack_get_buffer_size(self._client))
        self._inputs = [self._register(port, IS_INPUT) for port in inputs]
        self._outputs = [self._register(port, IS_OUTPUT) for port in outputs]
        self._callback = _PROCESS(self._on_cycle)
        self._lib.jack_set_process_callback(self._client, self._callback, None)
        self._lib.jack_activate(self._client)

    def ports(self, flags: int) -> list[str]:
        """The names of all audio ports of the server that are inputs (`IS_INPUT`) or outputs (`IS_OUTPUT`)."""
        found = self._lib.jack_get_ports(self._client, None, AUDIO, flags)
        if not found:
            return []
        names: list[str] = []
        while found[len(names)]:
            names.append(found[len(names)].decode())
        self._lib.jack_free(found)
        return names

    def connect(self, source: str, sink: str) -> bool:
        """Connect two ports; False where that is not possible. Two that are connected stay so."""
        return self._lib.jack_connect(self._client, source.encode(), sink.encode()) in (0, 17)

    def disconnect(self, source: str, sink: str) -> None:
        """Disconnect two ports."""
        self._lib.jack_disconnect(self._client, source.encode(), sink.encode())

    def latency_frames(self, port: str, mode: int) -> int:
        """What the server says of a port's way to (`PLAYBACK`) or from (`CAPTURE`) the device; 0 for no such port."""
        handle, found = self._lib.jack_port_by_name(self._client, port.encode()), _Range()
        if not handle:
            return 0
        self._lib.jack_port_get_latency_range(handle, mode, ctypes.byref(found))
        return int(found.most)

    def close(self) -> None:
        """Leave the server; may be called twice."""
        if self._client:
            self._lib.jack_client_close(self._client)
            self._client = None

    def _register(self, port: str, flag: int) -> int:
        handle = self._lib.jack_port_register(self._client, port.encode(), AUDIO, flag, 0)
        if not handle:
            raise UserError("JACK has no port left", f"{self.name}:{port}", "close other clients")
        return int(handle)

    def _buffer(self, handle: int, count: int) -> Buffer:
        address = self._lib.jack_port_get_buffer(handle, count)
        memory: Any = (ctypes.c_float * count).from_address(address)
        buffer: Buffer = np.frombuffer(memory, np.float32)
        return buffer

    def _on_cycle(self, count: int, _: Any) -> int:
        begin_ns = clock.now_ns()
        outputs = [self._buffer(handle, count) for handle in self._outputs]
        for out in outputs:
            out.fill(0.0)
        self._process(
            Cycle(
                int(self._lib.jack_last_frame_time(self._client)),
                begin_ns,
                begin_ns + count * 1_000_000_000 // self.rate,
                [self._buffer(handle, count) for handle in self._inputs],
                outputs,
            )
        )
        return 0

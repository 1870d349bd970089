"""Messages to frames and back: the topic's name, a msgpack header, raw array buffers. Input is never trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np

from streaming.errors import WireError
from streaming.schema.messages import SCHEMA_VERSION, Control, Message, Report
from streaming.schema.topics import COMMON_LIMITS, MAX_NS, MAX_STAMPS, Topic

DTYPES = ("uint8", "int16", "int32", "int64", "float32", "float64")
"""The element types that may travel, little-endian. Any other, above all Python objects, is refused."""
MAX_DIMS = 4
MAX_FRAMES = 10
"""Topic, header and up to eight buffers."""
MAX_CONTROL_BYTES = 1 << 20
"""The largest control message or report accepted."""
REASONS = ("truncated", "oversized", "version", "malformed", "topic", "dtype", "shape", "range")
"""Why a message is refused; counted as `bad.<topic>.<reason>`."""

Frame = bytes | memoryview
T = TypeVar("T")


def pack(message: Message, topic: Topic) -> list[Frame]:
    """Turn a message into frames; buffers are not copied, so they must not change until the frames are sent.

    Raises:
        WireError: `topic` for a message of another type, `dtype` or `shape` for an array that may not travel,
            `oversized` beyond the topic's `max_bytes`, `malformed` for a value that msgpack cannot hold.
    """
    if not isinstance(message, topic.message):
        raise WireError("topic", f"{type(message).__name__} is not what {topic.name} carries")
    buffers: list[Frame] = []

    def hook(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            buffers.append(_buffer(value))
            return [value.dtype.name, list(value.shape), len(buffers) - 1]
        return _plain(value)

    header = _encode(message, hook)
    frames: list[Frame] = [topic.name.encode(), header, *buffers]
    if _size(frames) > topic.max_bytes:
        raise WireError("oversized", f"{_size(frames)} bytes on {topic.name}, at most {topic.max_bytes}")
    return frames


def unpack(frames: Sequence[Frame], topic: Topic) -> Message:
    """Turn frames into a message; its arrays are read-only views of the frames.

    A buffer that does not lie on its element's boundary is copied, because networks need aligned memory. It never
    concerns images, whose elements are bytes.

    Raises:
        WireError: with one of `REASONS`.
    """
    if len(frames) < 2:
        raise WireError("truncated", f"{len(frames)} frames")
    if bytes(frames[0][:64]) != topic.name.encode():
        raise WireError("topic", f"{bytes(frames[0][:64])!r} on {topic.name}")
    if _size(frames) > topic.max_bytes:
        raise WireError("oversized", f"{_size(frames)} bytes on {topic.name}")
    if len(frames) > MAX_FRAMES:
        raise WireError("malformed", f"{len(frames)} frames")
    buffers = frames[2:]
    used_indices: set[int] = set()

    def hook(kind: type, value: Any) -> Any:
        if kind is not np.ndarray:
            raise WireError("malformed", f"unexpected {kind}")
        return _array(value, buffers, used_indices)

    message: Message = _decode(frames[1], topic.message, hook)
    if len(used_indices) != len(buffers):
        raise WireError("malformed", f"{len(buffers) - len(used_indices)} buffers that nothing refers to")
    _check_layouts(message, topic)
    _check_limits(message, topic)
    return message


def pack_control(message: Report | Control) -> bytes:
    """Turn a report or a control into one frame.

    Raises:
        WireError: `malformed` for a value that msgpack cannot hold, `oversized` beyond `MAX_CONTROL_BYTES`.
    """

    def hook(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.ndarray) else _plain(value)

    data = _encode(message, hook)
    if len(data) > MAX_CONTROL_BYTES:
        raise WireError("oversized", f"{len(data)} bytes of control")
    return data


def unpack_report(data: Frame) -> Report:
    """Turn one frame into a report of a stage.

    Raises:
        WireError: with one of `REASONS`.
    """
    _check_control_size(data)
    report: Report = _decode(data, Report, None)
    return report


def unpack_control(data: Frame) -> Control:
    """Turn one frame into a control of the supervisor.

    Raises:
        WireError: with one of `REASONS`.
    """
    _check_control_size(data)
    control: Control = _decode(data, Control, None)
    return control


def _check_control_size(data: Frame) -> None:
    if len(data) > MAX_CONTROL_BYTES:
        raise WireError("oversized", f"{len(data)} bytes of control")


def _size(frames: Sequence[Frame]) -> int:
    return sum(frame.nbytes if isinstance(frame, memoryview) else len(frame) for frame in frames)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise WireError("malformed", f"{type(value).__name__} cannot travel")


def _encode(message: Any, hook: Any) -> bytes:
    try:
        return msgspec.msgpack.encode([SCHEMA_VERSION, message], enc_hook=hook)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError("malformed", str(error)) from error


def _decode(data: Frame, kind: Any, hook: Any) -> Any:
    """Decode `[version, struct]`; the version is checked before the struct is decoded."""
    try:
        version, body = msgspec.msgpack.decode(data, type=tuple[int, msgspec.Raw])
        if version != SCHEMA_VERSION:
            raise WireError("version", f"{version}, expected {SCHEMA_VERSION}")
        return msgspec.msgpack.decode(body, type=kind, dec_hook=hook)
    except msgspec.MsgspecError as error:
        raise WireError("truncated" if "truncated" in str(error) else "malformed", str(error)) from error
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise WireError("malformed", str(error)) from error


def _buffer(array: np.ndarray) -> Frame:
    """The bytes of an array, little-endian and in C order; copied only if they are not so already."""
    if array.dtype.name not in DTYPES:
        raise WireError("dtype", str(array.dtype))
    if array.ndim > MAX_DIMS:
        raise WireError("shape", f"{array.ndim} dimensions")
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return array.data.cast("B") if array.size else b""


def _array(value: Any, buffers: Sequence[Frame], used_indices: set[int]) -> np.ndarray:
    """A read-only view of one buffer, from its `[dtype, shape, buffer index]`."""
    if not isinstance(value, list) or len(value) != 3:
        raise WireError("malformed", "an array is [dtype, shape, buffer index]")
    name, shape, index = value
    if not isinstance(name, str) or name not in DTYPES:
        raise WireError("dtype", repr(name)[:80])
    if not isinstance(shape, list) or not all(type(side) is int for side in shape):
        raise WireError("malformed", "a shape is a list of integers")
    if len(shape) > MAX_DIMS or any(side < 0 for side in shape):
        raise WireError("shape", repr(shape)[:80])
    if type(index) is not int or index < 0 or index in used_indices:
        raise WireError("malformed", "a buffer index that is no index, or used twice")
    if index >= len(buffers):
        raise WireError("truncated", f"buffer {index} of {len(buffers)}")
    dtype = np.dtype(name).newbyteorder("<")
    if math.prod(shape) * dtype.itemsize != _size(buffers[index : index + 1]):
        raise WireError("shape", f"{shape} of {name} in {_size(buffers[index : index + 1])} bytes")
    used_indices.add(index)
    try:
        array = (
            np.frombuffer(buffers[index], dtype=dtype).reshape(shape) if math.prod(shape) else np.empty(shape, dtype)
        )
    except (ValueError, OverflowError) as error:  # an empty array with a side beyond what numpy can count
        raise WireError("shape", str(error)) from error
    if not array.flags.aligned:
        array = array.copy()
    array.flags.writeable = False
    return array


def _check_layouts(message: Message, topic: Topic) -> None:
    for name, layouts in topic.layouts.items():
        array: np.ndarray | None = getattr(message, name)
        if array is None:
            continue  # only a field whose type allows it is decoded as null
        options = layouts if isinstance(layouts, tuple) else (layouts,)
        layout = next((one for one in options if one.dtype == array.dtype.name), options[0])
        if array.dtype.name != layout.dtype:
            raise WireError("dtype", f"{name} is {array.dtype}, expected {layout.dtype}")
        fits = array.ndim == len(layout.shape) and all(
            side == expected if expected is not None else side >= 1
            for side, expected in zip(array.shape, layout.shape, strict=True)
        )
        if not fits:
            raise WireError("shape", f"{name} is {array.shape}, expected {layout.shape}")
        # A comparison with NaN is false, so these two refuse what is not finite too.
        if layout.low is not None and not (array.min() >= layout.low and array.max() <= layout.high):
            raise WireError("range", f"{name} is beyond {layout.low}..{layout.high}")


def _check_limits(message: Message, topic: Topic) -> None:
    for limits in (COMMON_LIMITS, topic.limits):
        for name, (low, high) in limits.items():
            value = getattr(message, name)
            if value is not None and not low <= value <= high:
                raise WireError("range", f"{name} is beyond {low}..{high}")
    if len(message.stamps) > MAX_STAMPS or not all(0 <= stamp <= MAX_NS for stamp in message.stamps.values()):
        raise WireError("range", f"stamps are no times, or more than {MAX_STAMPS}")

"""Messages that are damaged in one of many ways, made of a good one."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import numpy as np

from streaming.errors import WireError
from streaming.schema.messages import SCHEMA_VERSION
from streaming.schema.topics import Topic
from streaming.transport import wire

MOST_BYTES = 4_096
"""Of a buffer in a damaged message; a longer one is cut, which damages it too."""
ABSURD = (3e38, np.nan, -np.inf)


def malformed(chosen: random.Random, frames: Sequence[bytes]) -> list[bytes]:
    """A message that is damaged in one of many ways.

    Args:
        chosen: chooses the way.
        frames: a good message: its topic, its header, its buffers.
    """
    frames = [frame[:MOST_BYTES] for frame in frames]
    kind = chosen.randrange(6)
    if kind == 0:
        frames[1] = chosen.randbytes(chosen.randrange(200))
    elif kind == 1:
        frames[1] = msgspec.msgpack.encode([SCHEMA_VERSION, {chosen.choice("abc"): chosen.random(), "flow": [1]}])
    elif kind == 2 and len(frames) > 2:
        index = chosen.randrange(2, len(frames))
        count = max(1, len(frames[index]) // 4)
        frames[index] = np.full(count, chosen.choice(ABSURD), np.float32).tobytes()
    elif kind == 3 and len(frames) > 2:
        del frames[chosen.randrange(2, len(frames)) :]
    elif kind == 4:
        frames += [b"x"] * chosen.randrange(1, 9)
    else:
        frames[0] += chosen.randbytes(3)
    return frames


def many_malformed(message: Sequence[bytes], topic: Topic, count: int, seed: int = 1) -> list[list[bytes]]:
    """So many damaged messages, each of which is refused."""
    chosen, found = random.Random(seed), list[list[bytes]]()
    while len(found) < count:
        frames = malformed(chosen, message)
        try:
            wire.unpack(frames, topic)
        except WireError:
            found.append(frames)
    return found

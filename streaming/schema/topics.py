"""The type of a topic: name, message type, rate, policy under overload, largest size. For the table see `messages`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streaming.schema.messages import Message


class Policy(StrEnum):
    """The policy when a reader is slower than the writer."""

    LATEST = "latest"
    """The newest wins; older ones are dropped and counted."""
    ORDERED = "ordered"
    """In order and bounded; a gap is visible by its number and concealed."""
    STATE = "state"
    """Rarely published; the newest is sent again to every reader that connects, so that a restarted stage has it."""


@dataclass(frozen=True)
class Layout:
    """The required layout of an array field of a message.

    Attributes:
        dtype: its element type, for example "float32".
        shape: its sides; None for any side of at least 1.
        low, high: the range of its elements, both given or both None. A layout of floating point gives it: an absurd
            number that is finite would stay in a recurrent network's state for ever.
    """

    dtype: str
    shape: tuple[int | None, ...]
    low: float | None = None
    high: float | None = None


Limits = tuple[float, float]
"""The lowest and the highest value of a field that is a number."""
MAX_TICK = 1 << 40
"""Ticks are counted up to here: 1,400 years."""
MAX_NS = 1 << 62
"""The latest time in ns: 146 years after the machine's start."""
MAX_SIDE = 1 << 16
"""No picture is wider or higher in pixels, and nothing in it lies farther away."""
MAX_STAMPS = 32
"""Stages whose stamps one message carries at most."""
COMMON_LIMITS: Mapping[str, Limits] = {"seq": (0, MAX_NS), "capture_ns": (0, MAX_NS)}
"""Of the numbers that every message carries. Stamps are times like `capture_ns`."""


@dataclass(frozen=True)
class Topic:
    """One row of `streaming.schema.messages.TOPICS`.

    Attributes:
        name: the topic's name, also the name of the stage that publishes it.
        message: the message type.
        rate_hz: how often it is published, nominally; 0 for a state, which is published when it changes.
        policy: what happens under overload.
        max_bytes: the largest message accepted, header and buffers together.
        queue: how many messages a reader may lag behind before one is lost (ordered) or superseded (latest).
        together: for `LATEST`, how many messages that arrive at once are all kept: a picture that arrives together with
            the one before it can still be shown.
        layouts: array field -> its layout; or several layouts of different types, of which one must fit. Readers rely
            on these, so a message that differs is refused when it arrives.
        limits: field that is a number -> its lowest and highest value; refused in the same way. `COMMON_LIMITS` apply
            to every topic beside these.
    """

    name: str
    message: type[Message]
    rate_hz: float
    policy: Policy
    max_bytes: int
    queue: int
    together: int = 1
    layouts: Mapping[str, Layout | tuple[Layout, ...]] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """How many messages a stage gets at once, or holds until its next step."""
        return self.queue if self.policy is Policy.ORDERED else self.together

"""The topics, as a table: name, message type, rate, policy under overload, and the largest size accepted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streaming.schema import messages


class Policy(StrEnum):
    """What happens when a reader is slower than the writer."""

    LATEST = "latest"
    """The newest wins; older ones are dropped and counted."""
    ORDERED = "ordered"
    """In order and bounded; a gap is visible by its number and concealed."""
    STATE = "state"
    """Rarely published; the newest is sent again to every reader that connects, so that a restarted stage has it."""


@dataclass(frozen=True)
class Topic:
    """One row of the table.

    Attributes:
        name: the topic's name, also the name of the stage that publishes it.
        message: the message type.
        rate_hz: how often it is published, nominally; 0 for a state, which is published when it changes.
        policy: what happens under overload.
        max_bytes: the largest message accepted, header and buffers together.
        queue: how many messages a reader may lag behind before one is lost (ordered) or superseded (latest).
        together: where the latest wins, of how many that have come at once none is superseded. A picture that comes
            with the one before it can still be seen.
    """

    name: str
    message: type[messages.Message]
    rate_hz: float
    policy: Policy
    max_bytes: int
    queue: int
    together: int = 1

    @property
    def room(self) -> int:
        """How many messages a stage gets at once, or holds until its next step."""
        return self.queue if self.policy is Policy.ORDERED else self.together


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic("camera", messages.Camera, 25.0, Policy.LATEST, 3_200_000, 2),
        Topic("motion", messages.Motion, 25.0, Policy.LATEST, 16_384, 4),
        Topic("tokens", messages.Tokens, 25.0, Policy.ORDERED, 4_096, 64),
        Topic("sound", messages.Sound, 25.0, Policy.ORDERED, 16_384, 64),
        Topic("speaker", messages.Speaker, 25.0, Policy.LATEST, 4_096, 16),
        Topic("microphone", messages.Microphone, 25.0, Policy.ORDERED, 16_384, 64),
        Topic("hearing", messages.Hearing, 25.0, Policy.ORDERED, 4_096, 64),
        Topic("scene", messages.Scene, 0.0, Policy.STATE, 2_000_000, 4),
        Topic("flow", messages.Flow, 25.0, Policy.LATEST, 98_304, 4, together=4),
        Topic("picture", messages.Picture, 25.0, Policy.LATEST, 3_200_000, 4, together=4),
        Topic("screen", messages.Screen, 25.0, Policy.LATEST, 4_096, 16),
    )
}

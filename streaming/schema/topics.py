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


@dataclass(frozen=True)
class Topic:
    """One row of the table.

    Attributes:
        name: the topic's name, also the name of the stage that publishes it.
        message: the message type.
        rate_hz: how often it is published, nominally.
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
        return self.together if self.policy is Policy.LATEST else self.queue


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
        Topic("flow", messages.Flow, 25.0, Policy.LATEST, 16_384, 4, together=4),
        Topic("picture", messages.Picture, 25.0, Policy.LATEST, 3_200_000, 4, together=4),
        Topic("screen", messages.Screen, 25.0, Policy.LATEST, 4_096, 16),
    )
}

"""Controls whose new value a stage has yet to confirm, and who waits for its word."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.schema.messages import Confirmation, ControlReply
from streaming.settings.controls import Value

TIME_LIMIT_NS = 12_000_000_000
"""A stage that has not confirmed a value by then is not waited for; a prior image takes 10 s at most."""
MAX_PENDING = 16
"""Requests that wait at once; of more, the oldest is refused."""


@dataclass(frozen=True)
class PendingControl:
    """A request that waits. `requester`: identity on the control link. `until_ns`: when it is refused."""

    requester: bytes
    name: str
    value: Value
    until_ns: int


class PendingControls:
    """The requests that wait, oldest first, bounded in number and in time."""

    def __init__(self) -> None:
        self._waiting: list[PendingControl] = []

    def add(self, requester: bytes, name: str, value: Value, now_ns: int) -> list[tuple[bytes, ControlReply]]:
        """Wait for a stage's word; returns the replies to those that are no longer waited for."""
        self._waiting.append(PendingControl(requester, name, value, now_ns + TIME_LIMIT_NS))
        dropped = self._waiting[:-MAX_PENDING]
        self._waiting = self._waiting[-MAX_PENDING:]
        return [(one.requester, _no_answer(one)) for one in dropped]

    def resolve(self, confirmation: Confirmation, line: str) -> list[tuple[bytes, ControlReply]]:
        """The replies that a stage's word makes possible; `line` says that the value is in use."""
        same = [one for one in self._waiting if (one.name, one.value) == (confirmation.name, confirmation.value)]
        self._waiting = [one for one in self._waiting if one not in same]
        refusal = confirmation.refusal
        reply = ControlReply(lines=refusal, refused=True) if refusal else ControlReply(lines=[line])
        return [(one.requester, reply) for one in same]

    def expire(self, now_ns: int) -> list[tuple[bytes, ControlReply]]:
        """The replies to requests whose time is over."""
        over = [one for one in self._waiting if now_ns >= one.until_ns]
        self._waiting = [one for one in self._waiting if now_ns < one.until_ns]
        return [(one.requester, _no_answer(one)) for one in over]


def _no_answer(pending: PendingControl) -> ControlReply:
    seconds = TIME_LIMIT_NS / 1e9
    lines = [f"was not confirmed within {seconds:g} s", f"set {pending.name} {pending.value}", "set it again"]
    return ControlReply(lines=lines, refused=True)

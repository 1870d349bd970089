"""The shape of every stage: `setup / wake_ns / step / close`, testable with no socket and no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from engines.contract import Engine
from streaming.schema.messages import Message, Set
from streaming.settings.config import Show
from streaming.system.realtime import leave_realtime

if TYPE_CHECKING:
    from streaming.telemetry.metrics import Metrics

M = TypeVar("M", bound=Message)


@dataclass
class Context:
    """What the runner hands to a stage at setup.

    Attributes:
        show: the settings of the performance.
        metrics: where the stage counts and measures; the runner sends it on with every heartbeat.
        wake: makes the runner call `step` soon; safe to call from any thread, never blocks.
        memo: what this stage's last incarnation had put into its own `memo`; empty at the first start.
            The stage may write to it; the runner sends it with every heartbeat.
        info: the stage writes what it opened (device, source, backend); shown and reported.
        note: says one line to the user.
        finish: says that the stage has nothing more to do, with a reason.
        now_ns: the time at setup.
    """

    show: Show
    metrics: Metrics
    wake: Callable[[], None] = lambda: None
    memo: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    note: Callable[[str], None] = lambda line: None
    finish: Callable[[str], None] = lambda reason: None
    now_ns: int = 0
    _engines: list[Engine] = field(default_factory=list, repr=False)

    def engine_options(self) -> dict[str, Any]:
        """What `engines.registry.open_engine` is told of this show: bundle, runtime, who hears of trouble."""
        return {"bundle": self.show.bundle, "backend": self.show.backend, "tell": self.note, "calm": leave_realtime}

    def add_engines(self, *engines: Engine) -> None:
        """Put into `info` what the stage's networks run in, and why; the last one stands for the stage."""
        self._engines += engines
        self.refresh_engines()

    def refresh_engines(self) -> None:
        """Say anew what the networks run in: an engine may have taken another's place between two ticks."""
        for spec in (engine.spec for engine in self._engines):
            because = f" ({spec.why})" if spec.why else ""
            said = f"{spec.runtime} on {spec.device}, {spec.precision}{because}"
            self.info["engines"] = {**self.info.get("engines", {}), spec.network: said}
            self.info["backends"] = {**self.info.get("backends", {}), spec.network: spec.runtime}
            self.info.update(backend=spec.runtime, device=spec.device, precision=spec.precision)


@dataclass
class Inputs:
    """What has arrived since the last step: topic -> messages in order, as many as `Topic.room`."""

    messages: dict[str, list[Message]] = field(default_factory=dict)
    started: bool = False
    """True once the supervisor has said that the performance begins (it stays True)."""
    controls: list[Set] = field(default_factory=list)
    """Live controls that have arrived since the last step."""

    def all(self, kind: type[M]) -> list[M]:
        """Every message of one type, in order."""
        found = self.messages.get(kind.__name__.lower(), [])
        return [message for message in found if isinstance(message, kind)]

    def latest(self, kind: type[M]) -> M | None:
        """The newest message of one type that arrived since the last step, or None."""
        found = self.all(kind)
        return found[-1] if found else None


class Stage(Protocol):
    """One process of the show. Every method is called from one thread, the runner's."""

    def setup(self, context: Context) -> None:
        """Open what is needed.

        Raises:
            UserError: when the user must mend something.
        """

    def wake_ns(self) -> int | None:
        """The monotonic time at which `step` is wanted even if nothing arrives, or None. Asked after every step."""

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Take what arrived and return what to publish; the runner fills `seq` and adds this stage's stamp."""

    def close(self) -> None:
        """Release everything; called once, also after a failed setup."""

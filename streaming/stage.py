"""The shape of every stage: `setup / wake_ns / step / close`, testable with no socket and no clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from engines.contract import Engine
from streaming.errors import UserError
from streaming.schema.load_levels import LoadLevel
from streaming.schema.messages import Message, Set
from streaming.settings.config import Show
from streaming.system.realtime import leave_realtime

if TYPE_CHECKING:
    from streaming.telemetry.metrics import Metrics

M = TypeVar("M", bound=Message)


@dataclass
class Context:
    """What the stage host hands to a stage at setup.

    Attributes:
        show: the settings of the performance.
        metrics: where the stage counts and measures; sent to the supervisor with every heartbeat.
        wake: makes the host call `step` soon; safe to call from any thread, never blocks.
        memo: small values that the stage gets back when it is restarted; empty at the first start. The stage writes
            to it, and the host sends it with every heartbeat.
        info: what the stage opened (device, source, backend); written by the stage, shown and reported.
        note: says one line to the user.
        finish: says that the stage has nothing more to do, with a reason.
        confirm: answers a control that the stage confirms: the control as it came, and None when its value is in use
            now or the error that says why not.
        expect_pause: says, before something in a step that may take this many seconds (opening a device), that the
            stage does not hang; without it a step of 0.4 s is taken for a hang.
        now_ns: the time at setup.
        unwanted: those of its inputs that the stage does not need at present: they are not sent to it. The stage
            changes it in `step`.
        load_level: how much the show gives up at present; the host changes it between two steps.
    """

    show: Show
    metrics: Metrics
    wake: Callable[[], None] = lambda: None
    memo: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    note: Callable[[str], None] = lambda line: None
    finish: Callable[[str], None] = lambda reason: None
    confirm: Callable[[Set, UserError | None], None] = lambda control, refusal: None
    expect_pause: Callable[[float], None] = lambda seconds: None
    now_ns: int = 0
    unwanted: frozenset[str] = frozenset()
    load_level: LoadLevel = LoadLevel.FULL
    _engines: list[Engine] = field(default_factory=list, repr=False)

    def engine_options(self) -> dict[str, Any]:
        """The keyword arguments of `engines.registry.open_engine` for this show: bundle, runtime, callbacks."""
        return {
            "bundle": self.show.bundle,
            "backend": self.show.backend,
            "tell": self.note,
            "calm": leave_realtime,
            "count": self.metrics.count,
        }

    def add_engines(self, *engines: Engine) -> None:
        """Put into `info` what the stage's networks run in, and why; the last one stands for the stage."""
        self._engines += engines
        self.refresh_engines()

    def refresh_engines(self) -> None:
        """Update `info`: an engine may have been swapped for another between two ticks."""
        for spec in (engine.spec for engine in self._engines):
            reason = f" ({spec.why})" if spec.why else ""
            line = f"{spec.runtime} on {spec.device}, {spec.precision}{reason}"
            self.info["engines"] = {**self.info.get("engines", {}), spec.network: line}
            self.info["backends"] = {**self.info.get("backends", {}), spec.network: spec.runtime}
            self.info.update(backend=spec.runtime, device=spec.device, precision=spec.precision)


@dataclass
class Inputs:
    """What has arrived since the last step.

    Attributes:
        messages: topic -> messages in order, at most `Topic.room` of each.
        started: True once the supervisor has said that the performance begins (it stays True).
        controls: live controls that have arrived since the last step.
    """

    messages: dict[str, list[Message]] = field(default_factory=dict)
    started: bool = False
    controls: list[Set] = field(default_factory=list)

    def all(self, kind: type[M]) -> list[M]:
        """Every message of one type, in order."""
        found = self.messages.get(kind.__name__.lower(), [])
        return [message for message in found if isinstance(message, kind)]

    def latest(self, kind: type[M]) -> M | None:
        """The newest message of one type that arrived since the last step, or None."""
        found = self.all(kind)
        return found[-1] if found else None


class Stage(Protocol):
    """One process of the show. Every method is called from one thread, the host's."""

    def setup(self, context: Context) -> None:
        """Open what is needed.

        Raises:
            UserError: when the user must mend something.
        """

    def wake_ns(self) -> int | None:
        """The monotonic time at which `step` is wanted even if nothing arrives, or None. Asked after every step."""

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Take what arrived and return what to publish; the host fills `seq` and adds this stage's stamp."""

    def close(self) -> None:
        """Release everything; called once, also after a failed setup."""

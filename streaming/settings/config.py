"""The settings of a show: one frozen object, made by the command line, sent to every process as JSON."""

from __future__ import annotations

import msgspec

DIALS = {"imagination": (0.0, 1.0), "chance": (0.0, 1.0), "motion": (0.0, 4.0), "anchoring": (0.05, 10.0)}
"""The live controls of the picture, and their ranges."""
LIVE = ("temperature", "guidance", "voice", "anticipation", *DIALS, "prior")
"""The settings that may be changed while a show runs."""


class Links(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the sockets are.

    Attributes:
        run_dir: folder of the `ipc://` sockets and the instance lock; "" for the user's default.
        addresses: stage name -> `tcp://host:port` for stages that are reached over a network (CURVE is then required).
        keys: folder with `antiphon.key_secret`, `antiphon.key` and the allow-list `allowed/*.key`; "" for none.
        allow_remote: permit binding beyond loopback.
    """

    run_dir: str = ""
    addresses: dict[str, str] = msgspec.field(default_factory=dict)
    keys: str = ""
    allow_remote: bool = False


class Show(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a performance is told; see the command line for the meaning of each."""

    direction: str = "both"
    camera: str = "auto"
    speaker: str = "auto"
    microphone: str = "auto"
    prior: str = ""
    screen: str = "auto"
    bundle: str = "default"
    backend: str = "auto"
    anticipation: str = "auto"
    duration_s: float | None = None
    record: str = "recordings"
    report: str = ""
    seed: int = 0
    temperature: float = 0.4
    voice: str = "auto"
    guidance: float = 1.5
    imagination: float = 0.25
    chance: float = 1.0
    motion: float = 1.0
    anchoring: float = 1.2
    quiet: bool = False
    links: Links = msgspec.field(default_factory=Links)


class Dials:
    """The live controls of the picture, as a stage that obeys them has them.

    Args:
        show: what they begin with.
    """

    def __init__(self, show: Show) -> None:
        self._values = {name: float(getattr(show, name)) for name in DIALS}

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def turn(self, name: str, value: object) -> bool:
        """Turn a dial; False for a value that is no number in its range, which changes nothing."""
        low, high = DIALS[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            return False
        self._values[name] = float(value)
        return True

"""The base class of every network's sizes: they are written to a manifest as plain values and read back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Sizes:
    """The sizes of a network: a frozen dataclass of plain values."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_dict`, also after JSON has made lists of tuples.

        Raises:
            TypeError: for a name that this network does not have.
        """
        return cls(**{name: _freeze(value) for name, value in values.items()})


def _freeze(value: Any) -> Any:
    return tuple(_freeze(item) for item in value) if isinstance(value, list) else value

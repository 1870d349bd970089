"""One kind of odd file, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Use = Literal["sound", "video", "image"]


@dataclass(frozen=True)
class OddFile:
    """A kind of file.

    Attributes:
        name: of the file, with its ending.
        use: what opens it: the microphone, the camera, the prior image.
        make: gives its bytes; the same ones every time.
        low, high: seconds of sound that are heard, pictures that are seen, or pixels of the image; None where the
            file must be refused with one line that names it.
        damaged: it must be said that parts of it are lost.
    """

    name: str
    use: Use
    make: Callable[[], bytes]
    low: float | None
    high: float | None = None
    damaged: bool = False

    @property
    def most(self) -> float | None:
        """The greatest amount that is right."""
        return self.low if self.high is None else self.high

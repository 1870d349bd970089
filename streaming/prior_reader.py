"""Reads a prior image aside: a large photograph takes a second, and no picture may be late for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class PriorReader:
    """Has one image read at a time; of several that are asked for at once the last one counts.

    Args:
        read: reads an image in the shape that is wanted; may raise `UserError`.
    """

    def __init__(self, read: Callable[[str], Image]) -> None:
        self._read = read
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prior")
        self._asked = ""
        self.coming: Future[Image] | None = None

    def ask(self, path: str) -> None:
        """Have another image read."""
        if self.coming is not None:
            self.coming.cancel()
        self._asked = path
        self.coming = self._pool.submit(self._read, path)

    def arrived(self) -> tuple[str, Image] | None:
        """The image that was read, with its path, once; None while there is none.

        Raises:
            UserError: when it cannot be read.
        """
        if self.coming is None or not self.coming.done():
            return None
        coming, self.coming = self.coming, None
        return self._asked, coming.result()

    def close(self) -> None:
        """Wait for none that is still being read."""
        self._pool.shutdown(wait=False, cancel_futures=True)

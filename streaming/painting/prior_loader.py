"""Reads a prior image aside: a large photograph takes a second, and no picture may be late for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from streaming.errors import UserError
from streaming.stage import Context
from streaming.system.realtime import leave_realtime

Image = NDArray[np.uint8]
T = TypeVar("T")


def first_prior(load: Callable[[str], Image], context: Context) -> Image:
    """The prior image that a stage begins with; the memo knows it from then on.

    A stage that is started again goes on with the last image that could be read, should the newest be none.

    Args:
        load: reads an image; may raise `UserError`.
        context: the stage's.

    Raises:
        UserError: when no image can be read.
    """
    path = context.show.word("prior")
    try:
        image = load(path)
    except UserError as error:
        if "prior" not in context.memo:
            raise
        context.note(str(error))
        return load(str(context.memo["prior"]))
    context.memo["prior"] = path
    return image


class PriorLoader(Generic[T]):
    """Has one image read at a time; of several that are asked for at once the last one counts.

    Args:
        read: reads an image and makes of it what is wanted; may raise `UserError`.
    """

    def __init__(self, read: Callable[[str], T]) -> None:
        self._read = read
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prior", initializer=leave_realtime)
        self._asked = ""
        self.coming: Future[T] | None = None

    def ask(self, path: str) -> None:
        """Have another image read."""
        if self.coming is not None:
            self.coming.cancel()
        self._asked = path
        self.coming = self._pool.submit(self._read, path)

    def arrived(self) -> tuple[str, T] | None:
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

"""Where test sockets are, and what ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streaming.settings.config import Links
from streaming.transport.links import address_of


@pytest.fixture
def where(tmp_path: Path) -> Callable[[str], str]:
    return lambda name: address_of(Links(run_dir=str(tmp_path)), name, bind=True)


@pytest.fixture
def closing() -> Iterator[Callable[[Any], Any]]:
    opened: list[Any] = []

    def keep(item: Any) -> Any:
        opened.append(item)
        return item

    yield keep
    for item in reversed(opened):
        item.close()

"""What the coverage-guided driver runs are readers that take any bytes; without Atheris it is one line."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from tests.fuzz import atheris_driver
from tests.fuzz.readers import READERS


@pytest.mark.parametrize("reader", sorted(READERS))
def test_every_reader_takes_any_bytes(reader: str) -> None:
    chosen = random.Random(reader)
    for size in range(0, 400, 8):
        READERS[reader](chosen.randbytes(size))


def test_a_reader_that_is_not_there_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(atheris_driver.READERS) == set(READERS)
    assert atheris_driver.main(["driver", "nonsense"]) == 2
    assert capsys.readouterr().err == f"name a reader: {', '.join(atheris_driver.READERS)}\n"


def test_without_atheris_it_is_a_line() -> None:
    hidden = "import sys; sys.modules['atheris'] = None; import importlib.util as u; u.find_spec = lambda name: None; "
    hidden += "from tests.fuzz.atheris_driver import main; sys.exit(main(['driver', 'control']))"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "atheris is not installed; type: pip install atheris\n")

"""The pictures of the architecture page show what the tables and imports say."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

from streaming.schema.processes import PROCESSES
from tests.unit.docs.scripts import ROOT, load


def _labels(picture: str) -> set[str]:
    return {text.text or "" for text in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")}


def test_the_pictures_in_the_repository_are_up_to_date() -> None:
    check = subprocess.run([sys.executable, "-m", "docs.diagrams", "--check"], cwd=ROOT)
    assert check.returncode == 0, "type: make docs"


def test_every_process_is_drawn_with_what_it_reads() -> None:
    picture = load("diagrams").processes_svg()
    assert set(PROCESSES) <= _labels(picture)
    arrows = sum(len(row.inputs) for row in PROCESSES.values() if row.output)
    assert len(re.findall('class="arrow', picture)) == arrows
    assert any(", ".join(PROCESSES["recorder"].inputs) in label for label in _labels(picture))


def test_every_room_is_drawn() -> None:
    rooms = {path.parent.name for path in (ROOT / "streaming").glob("*/__init__.py")}
    assert rooms == _labels(load("diagrams").rooms_svg())


def test_an_import_that_follows_from_others_is_left_out() -> None:
    reduced = load("diagrams").reduced
    assert reduced({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": {"b"}, "b": {"c"}, "c": set()}

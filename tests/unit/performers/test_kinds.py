"""The kinds of performer are listed once; where the import rules forbid importing them, the lists agree."""

from __future__ import annotations

import subprocess
import sys

from models.translation.translator import TranslatorConfig
from models.vision.embedding import POINTS
from models.vision.pitch_reader import READ_INSTRUMENTS
from performers.gestures import GESTURES
from performers.kinds import KINDS, MELODIC, PITCH_RANGE
from performers.performer import LABEL_NAMES
from training.datasets.translator import VOICES
from training.synthesis.conventions import CLIP_KINDS


def test_everything_that_lists_kinds_lists_the_same() -> None:
    assert set(GESTURES) == set(KINDS)
    assert [name.removeprefix("is_") for name in LABEL_NAMES if name.startswith("is_")] == list(KINDS)
    assert set(PITCH_RANGE) == set(KINDS) - {"drums"}
    assert set(MELODIC) < set(PITCH_RANGE)
    assert sorted(CLIP_KINDS) == sorted(KINDS)


def test_what_the_networks_were_taught_is_what_performers_are() -> None:
    assert TranslatorConfig().voice_names == VOICES == CLIP_KINDS
    assert READ_INSTRUMENTS == MELODIC
    assert [f"{point}_{axis}" for point in POINTS for axis in "xy"] == list(LABEL_NAMES[: 2 * len(POINTS)])


def test_the_list_is_cheap_to_import() -> None:
    code = "import sys, performers.kinds; print(sorted({'cv2', 'numpy', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

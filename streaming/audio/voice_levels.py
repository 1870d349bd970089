"""How much louder or softer each voice is made for each kind of player, so that all play equally loud.

A translator plays as loudly as it has learned to; some players strike softly, some voices are soft. The corrections
are measured on held-out performers (`python -m training.evaluation.voice_levels --write`) and stand in the translator's
configuration as `level_db`: a row for each of `voice_names` as a player's kind and one for a player of no known kind,
in each row the voice "auto" and then `voice_names`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MOST_DB = 10.0
"""No correction is larger, whatever a message or a manifest says."""
LEVEL_FADE_S = 0.4
"""A new correction is faded in over so long."""


class VoiceLevels:
    """The corrections of a translator.

    Args:
        config: of its engine's spec; without `level_db`, or with one of another length, nothing is corrected.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._kinds = [str(name) for name in config.get("voice_names", ())]
        width = 1 + len(self._kinds)
        table = [float(value) for value in config.get("level_db", ())]
        self._table = table if len(table) == width * width else [0.0] * (width * width)

    def gain_db(self, kind: str, voice: int) -> float:
        """The correction in dB.

        Args:
            kind: of the player; any name that is no kind stands for a player of no known kind.
            voice: number of the voice, 0 for "auto".
        """
        width = 1 + len(self._kinds)
        row = self._kinds.index(kind) if kind in self._kinds else len(self._kinds)
        return self._table[row * width + min(max(voice, 0), width - 1)]


def level_gain(level_db: float) -> float:
    """The factor of a correction in dB; 1 for what is no number."""
    if not math.isfinite(level_db):
        return 1.0
    return float(10.0 ** (min(max(level_db, -MOST_DB), MOST_DB) / 20.0))

"""Where a user's own files lie: settings that are kept from show to show, and images."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_NAME = "antiphon"


def config_folder() -> Path:
    """For settings: $ANTIPHON_CONFIG, else antiphon in the system's folder for them. It may not exist yet."""
    given = os.environ.get("ANTIPHON_CONFIG", "")
    if given:
        return Path(given)
    return _base("XDG_CONFIG_HOME", ".config") / _NAME


def data_folder() -> Path:
    """For what a user collects: $ANTIPHON_DATA, else antiphon in the system's folder for it. It may not exist yet."""
    given = os.environ.get("ANTIPHON_DATA", "")
    if given:
        return Path(given)
    return _base("XDG_DATA_HOME", ".local/share") / _NAME


def _base(variable: str, linux: str) -> Path:
    named = os.environ.get(variable, "")
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", "") or Path.home())
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path.home() / linux

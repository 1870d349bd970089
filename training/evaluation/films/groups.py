"""Which films belong to which group: by a TOML file, or by the words in their names."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from streaming.errors import UserError
from streaming.schema.messages import NO_INSTRUMENT
from training.synthesis.conventions import CLIP_KINDS

GROUPS_FILE = "groups.toml"
"""Read from the films' folder where no other file is named."""
OTHER = "other"
KINDS_TABLE = "kinds"
"""The table of a file that says what is played in films."""
WORDS = {
    "drums": ("drum", "drums", "snare", "conga", "congas", "bongo", "bongos", "tabla", "cymbal", "djembe"),
    "keys": ("piano", "pianist", "keyboard", "keys", "organ", "harpsichord", "typing", "marimba", "xylophone"),
    "winds_strings": (
        *("violin", "viola", "cello", "bass", "guitar", "harp", "erhu", "strings"),
        *(
            "bassoon",
            "flute",
            "oboe",
            "clarinet",
            "trumpet",
            "horn",
            "trombone",
            "tuba",
            "sax",
            "saxophone",
            "recorder",
        ),
        *("voice", "singer", "singing"),
    ),
    "hits": ("hit", "hits", "hitting", "strike", "striking", "knock", "tap", "tapping", "stick"),
}
"""Words in a film's name, in lower case and set off by anything that is no letter, that put it into a group. The first
group with such a word counts; a film with none is in `OTHER`."""


def groups_by_name(name: str) -> tuple[str, ...]:
    """The one group that a film's name says."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    return (next((group for group, known in WORDS.items() if words & set(known)), OTHER),)


class FilmGroups:
    """The groups of films.

    A file has a list of patterns for each group, as `fnmatch` has them; a film is in every group of which a pattern
    matches its name, and in `other` where none does:

        hits = ["condfoley_*"]
        drums = ["*snare*"]

    Its table `kinds` has the same for the kind of what is played, or "none"; the first that matches counts:

        [kinds]
        air = ["bassoon*"]
        none = ["hands*"]

    Args:
        patterns: group -> patterns; None to go by the words in the films' names.
        kinds: kind -> patterns.
    """

    def __init__(self, patterns: dict[str, list[str]] | None = None, kinds: dict[str, list[str]] | None = None) -> None:
        self._patterns = patterns
        self._kinds = kinds or {}

    def of(self, name: str) -> tuple[str, ...]:
        """The groups of a film, at least one."""
        if self._patterns is None:
            return groups_by_name(name)
        found = tuple(g for g, patterns in self._patterns.items() if any(fnmatch(name, p) for p in patterns))
        return found or (OTHER,)

    def kind_of(self, name: str) -> str | None:
        """The kind of what is played in a film; None where the file does not say."""
        matching = (kind for kind, patterns in self._kinds.items() if any(fnmatch(name, p) for p in patterns))
        return next(matching, None)

    @property
    def source(self) -> str:
        """How films were put into groups, in words."""
        return "words in the films' names" if self._patterns is None else "a file of groups"


def read_groups(folder: Path, file: Path | None = None) -> FilmGroups:
    """The groups of a folder's films.

    Args:
        folder: of the films; its `groups.toml` is used where it is there.
        file: another file, which must be there.

    Raises:
        UserError: when the file cannot be read, or is not a table of lists of texts.
    """
    path = file or folder / GROUPS_FILE
    if file is None and not path.is_file():
        return FilmGroups()
    fix = 'write a list of name patterns for each group, such as hits = ["*hitting*"]'
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"the groups of films cannot be read ({error})", str(path), fix) from error
    kinds = table.pop(KINDS_TABLE, {})
    if not isinstance(kinds, dict):
        raise UserError(f"{KINDS_TABLE!r} is no table of kinds", str(path), f'write [{KINDS_TABLE}] and drums = ["*"]')
    for group, patterns in (*table.items(), *kinds.items()):
        if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
            raise UserError(f"group {group!r} is no list of texts", str(path), fix)
    if unknown := sorted(set(kinds) - {*CLIP_KINDS, NO_INSTRUMENT}):
        known = ", ".join((*CLIP_KINDS, NO_INSTRUMENT))
        raise UserError(f"there is no kind {unknown[0]!r} to be played", str(path), f"use one of {known}")
    return FilmGroups(table or None, kinds)

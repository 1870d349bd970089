"""Licences of published weights: found, shown, and accepted before the weights are used."""

from __future__ import annotations

from pathlib import Path

import yaml

from models.codec.published_codecs import PublishedError

CARD = "README.md"
LICENCES = {
    "facebook/encodec_32khz": "cc-by-nc-4.0",
    "facebook/musicgen-": "cc-by-nc-4.0",
    "stabilityai/sd-turbo": "stabilityai-community",
    "madebyollin/taesd": "mit",
}
"""Licences of weights whose card has none; a name that ends with a dash is a prefix."""
FREE = ("apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0")
"""Licences that are used without asking."""


def licence_of(source: str, folder: Path) -> str:
    """The licence in a model's card, or the known one of its name; else "unknown"."""
    card = folder / CARD
    if card.is_file():
        parts = card.read_text(encoding="utf-8", errors="replace").split("---")
        try:
            front_matter = yaml.safe_load(parts[1]) if len(parts) > 2 else None
        except yaml.YAMLError:
            front_matter = None
        if isinstance(front_matter, dict) and front_matter.get("license"):
            return str(front_matter["license"])
    for name, licence in LICENCES.items():
        if source == name or (name.endswith("-") and source.startswith(name)):
            return licence
    return "unknown"


def require_acceptance(source: str, licence: str, accepted: bool) -> None:
    """Show a licence; one that is not in `FREE` must have been accepted.

    Raises:
        PublishedError: when it was not.
    """
    print(f"{source}: licence {licence}", flush=True)
    if licence not in FREE and not accepted:
        raise PublishedError("read its licence, which may forbid your use, then add --accept-licence")

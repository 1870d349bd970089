"""Finds published weights in a folder, or on the model hub by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.codec.published_codecs import PublishedError


def fetch(source: str, offline: bool, patterns: Sequence[str]) -> Path:
    """The folder of a published model: a local one, or the hub's copy on this machine, downloaded if need be.

    Args:
        source: a folder or a file in it, or OWNER/NAME on the hub.
        offline: never ask the hub.
        patterns: patterns of the files to get.

    Raises:
        PublishedError: when it is missing, or the hub cannot be reached; the text says what to do.
    """
    if Path(source).exists():
        path = Path(source)
        return path.parent if path.is_file() else path
    if source.count("/") != 1 or source.startswith((".", "/", "~")):
        raise PublishedError("no such folder; name one, or a model of the hub as OWNER/NAME")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise PublishedError('the hub needs huggingface_hub: pip install -e ".[train]"') from error
    try:
        return Path(snapshot_download(source, allow_patterns=list(patterns), local_files_only=offline))
    except LocalEntryNotFoundError as error:
        why = "it is not on this machine, and --offline was given" if offline else "the hub cannot be reached"
        raise PublishedError(f"{why}; copy its folder here and name that") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        line = " ".join(str(error).split())[:160]
        raise PublishedError(f"the hub did not give it ({line}); copy its folder here and name that") from error

"""Files that a user names: checked before anything is started, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from streaming.errors import UserError


def check_writable(path: str, option: str) -> None:
    """Make sure that a file can be written, before anything is started.

    Raises:
        UserError: when it cannot.
    """
    target = Path(path)
    if target.is_dir():
        raise UserError("is a folder, not a file", path, f"give {option} the name of a file in it")
    if not target.absolute().parent.is_dir():
        raise UserError("its folder does not exist", path, f"make the folder, or give {option} another file")
    try:
        with tempfile.NamedTemporaryFile(dir=target.absolute().parent, prefix=".antiphon-"):
            pass
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"cannot be written ({reason})", path, f"give {option} a writable file") from error

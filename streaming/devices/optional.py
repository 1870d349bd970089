"""What is said when the library of an optional device is not here."""

from __future__ import annotations

from streaming.errors import UserError


def missing(library: str, where: str, extra: str, error: BaseException, instead: str) -> UserError:
    """The line for a library that cannot be imported.

    Args:
        library: its name, in words.
        where: the option with its value.
        extra: the extra of `pyproject.toml` that has it.
        error: what the import raised.
        instead: what can be used in its place.
    """
    reason = " ".join(str(error).split())[:200]
    fix = f'install it: pip install -e ".[{extra}]"; or use {instead}'
    return UserError(f"{library} cannot be loaded ({reason})", where, fix)

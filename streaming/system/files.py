"""Files that a user names: checked before the show, never given away as an address, and never destroyed.

Inputs are checked with `check_input`, outputs with `check_output`, and both together with `check_distinct`. An output
is made with `new_file` once there is something to write: a file that has its name already is moved aside or left alone,
never overwritten. Only `replace_file` (the report) replaces a file, and only one of its own making.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from streaming.errors import SourceError, shorten

LONGEST_NAME = 255
"""Bytes of one name in a path: the limit of ext4, APFS, NTFS and most others."""
LONGEST_PATH = 4_095
MOST_TAKES = 10_000
"""Numbers that are tried for a free name."""

PRIVATE = 0o600
"""Permissions of a file that is made: films, sounds, reports and logs of a show are its user's alone."""

Existing = Literal["aside", "number"]


class NamedFile(NamedTuple):
    """A file and the option that names it, for example `("--speaker", "out.wav")`."""

    option: str
    path: str


def private_opener(path: str, flags: int) -> int:
    """An `opener` for `open`: a file that it makes is its user's alone."""
    return os.open(path, flags, PRIVATE)


def absolute(path: str | Path) -> str:
    """A user's path made absolute, for libraries that would take `take:1.mp4` for a protocol and its address.

    Symbolic links are left as they are.
    """
    return os.path.abspath(path)


def reason(error: BaseException) -> str:
    """What an error says, in one short line."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())[:200] or type(error).__name__


def check_name(path: str, option: str) -> None:
    """Check that a path can be the name of a file at all.

    Raises:
        SourceError: for an empty one, a NUL character, a name of more than 255 bytes.
    """
    if not path:
        raise SourceError("names no file", option, f"give {option} the path of a file")
    fix = f"give {option} another file"
    if "\0" in path:
        raise SourceError("has a NUL character in its name", shorten(path), fix)
    try:
        parts = os.fsencode(path).split(os.fsencode(os.sep))
    except UnicodeEncodeError:
        raise SourceError("has a character in its name that no file can have", shorten(path), fix) from None
    longest, total = max(map(len, parts)), len(os.fsencode(absolute(path)))
    if longest > LONGEST_NAME:
        raise SourceError(f"has a name of {longest} bytes, {LONGEST_NAME} are possible", shorten(path), fix)
    if total > LONGEST_PATH:
        raise SourceError(f"is a path of {total} bytes, {LONGEST_PATH} are possible", shorten(path), fix)


def check_input(path: str, option: str, expectation: str) -> None:
    """Check that a file is there and can be read.

    Args:
        path: the file.
        option: the option that names it.
        expectation: what the option takes, for the error's hint: "a video file".

    Raises:
        SourceError: when it cannot be read.
    """
    check_name(path, option)
    fix = f"give {option} {expectation}"
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode) and not os.access(path, os.R_OK):
            raise PermissionError(13, "Permission denied")
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError("there is no such file", path, fix) from None
    except PermissionError:
        raise SourceError("may not be read (permission denied)", path, f"change its permissions, or {fix}") from None
    except OSError as error:
        raise SourceError(f"cannot be read ({reason(error)})", path, fix) from error
    if stat.S_ISDIR(status.st_mode):
        raise SourceError("is a folder, not a file", path, fix)
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        raise SourceError("is empty (0 bytes)", path, fix)


def check_output(path: str, option: str) -> None:
    """Check that a file can be written, without making or changing it.

    Raises:
        SourceError: when it cannot: its folder does not exist or may not be written to, or something other than an
            ordinary file (a folder, a device, a pipe) has its name.
    """
    check_name(path, option)
    try:
        target = os.path.realpath(path)
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(target).st_mode
            if stat.S_ISDIR(mode):
                raise SourceError("is a folder, not a file", path, f"give {option} the name of a file in it")
            if not stat.S_ISREG(mode):
                raise SourceError("is not an ordinary file", path, f"give {option} the name of a new file")
        folder = os.path.dirname(target)
        if not os.path.isdir(folder):
            raise SourceError("its folder does not exist", path, f"make the folder, or give {option} another file")
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".antiphon-"):
            pass
    except OSError as error:
        fix = f"give {option} a file in a folder that you may write to"
        raise SourceError(f"cannot be written ({reason(error)})", path, fix) from error


def check_distinct(inputs: Sequence[NamedFile], outputs: Sequence[NamedFile]) -> None:
    """Check that no output is also an input or another output, under whatever name, or lies in a folder that is read.

    Args:
        inputs: files that are read, and folders (a bundle) whose files are.
        outputs: files that are written.

    Raises:
        SourceError: for the first pair that is one file.
    """
    for index, output in enumerate(outputs):
        for other in (*inputs, *outputs[:index]):
            use = ""
            if same_file(output.path, other.path):
                use = "would write over" if other in inputs else "would write to the same file as"
            elif other in inputs and _lies_in(output.path, other.path):
                use = "would write into"
            if use:
                raise SourceError(
                    f"{use} {other.option} {shorten(other.path)}",
                    f"{output.option} {shorten(output.path)}",
                    f"give {output.option} another file",
                )


def same_file(first: str, second: str) -> bool:
    """Whether two paths are one file, also through links, and also where it does not exist yet."""
    return _identity(first) == _identity(second)


def _lies_in(path: str, folder: str) -> bool:
    """Whether a file would lie in a folder or in one below it."""
    if not os.path.isdir(folder):
        return False
    return any(same_file(str(parent), folder) for parent in Path(os.path.realpath(path)).parents)


def new_file(path: str | Path, existing: Existing) -> tuple[Path, str]:
    """Make an empty file for an output, without touching what there was.

    Args:
        path: where; a symbolic link is followed.
        existing: what becomes of a file that has this name: "aside": it is renamed (`out.wav` to `out-1.wav`);
            "number": it stays, and the new file gets the next free number (`film.mp4`, `film-2.mp4`).

    Returns:
        The file's path, and a line for the user, "" where nothing had that name.

    Raises:
        OSError: when it cannot be made, or something other than an ordinary file has its name.
    """
    target = Path(os.path.realpath(path))
    line = ""
    if existing == "aside" and os.path.lexists(target):
        line = f"{path}: the earlier take is kept as {_move_aside(target).name}"
    if existing == "number":
        return _create_free(itertools.chain([target], _numbered_paths(target, first=2))), line
    _create(target)
    return target, line


def replace_file(path: str | Path, data: bytes, ours: Callable[[bytes], bool]) -> str:
    """Write a file so that a reader sees the whole of it or the old one, whose permissions stay.

    Args:
        path: where; a symbolic link is followed.
        data: what it shall contain.
        ours: says by its content whether an existing file may be replaced; another is moved aside.

    Returns:
        A line for the user, "" where nothing was moved aside.

    Raises:
        OSError: when it cannot be written (a full disk), or something other than an ordinary file has its name.
    """
    target = Path(os.path.realpath(path))
    line = ""
    temporary = target.with_name(f".antiphon-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        with open(temporary, "xb", opener=private_opener) as file:
            if _is_regular_there(target):
                os.chmod(temporary, stat.S_IMODE(os.lstat(target).st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if os.path.lexists(target) and not (_is_regular(target) and ours(target.read_bytes())):
            line = f"{path}: what was there is kept as {_move_aside(target).name}"
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return line


def _create(target: Path) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))


def _create_free(candidates: Iterable[Path]) -> Path:
    """Make the first of some files that does not exist."""
    for candidate in candidates:
        with contextlib.suppress(FileExistsError):
            _create(candidate)
            return candidate
    raise FileExistsError(17, "No number is free for another file")


def _numbered_paths(path: Path, first: int) -> Iterator[Path]:
    """`out.wav` -> `out-1.wav`, `out-2.wav` and so on; a name that would become too long loses the end of its stem."""
    for number in range(first, MOST_TAKES):
        ending = f"-{number}{path.suffix}"
        stem = os.fsencode(path.name.removesuffix(path.suffix))[: LONGEST_NAME - len(os.fsencode(ending))]
        yield path.with_name(stem.decode(errors="ignore") + ending)


def _move_aside(target: Path) -> Path:
    """Rename an ordinary file to its first free number; nothing that exists is replaced by it."""
    if not _is_regular(target):
        raise OSError(22, "it is not an ordinary file", str(target))
    place = _create_free(_numbered_paths(target, first=1))
    os.replace(target, place)
    return place


def _is_regular_there(path: Path) -> bool:
    return os.path.lexists(path) and _is_regular(path)


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(os.lstat(path).st_mode)


def _identity(path: str) -> tuple[object, ...]:
    """What two names of one file have in common: the inode, or the folder's inode and the name to be."""
    try:
        found = os.stat(path)
        return found.st_dev, found.st_ino
    except (OSError, ValueError):
        pass
    try:
        target = os.path.realpath(path)
        folder = os.stat(os.path.dirname(target))
        return folder.st_dev, folder.st_ino, os.path.basename(target)
    except (OSError, ValueError):
        return (absolute(path.replace("\0", "")),)

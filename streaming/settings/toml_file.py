"""The TOML file of `--config`: reads one, and writes the commented example that `run_live.py config` prints."""

from __future__ import annotations

import os
import textwrap
import tomllib
from typing import Any

from streaming.errors import UserError, shorten
from streaming.settings.option_table import OPTIONS, SETTINGS
from streaming.settings.setting import GROUPS, attributed_to, or_nearest
from streaming.system.files import check_input, reason

MAX_BYTES = 1 << 16
LINKS = ("run-dir", "keys", "address", "allow-remote")
"""The settings that a table `[links]` may have; `addresses` there is a table of its own: stage -> address."""


def known_keys() -> list[str]:
    """The keys a TOML file may have."""
    return [name for name in SETTINGS if name not in OPTIONS or OPTIONS[name].in_file]


def read_config(file: str) -> dict[str, Any]:
    """Read a TOML file of settings: the options' names without the dashes, and a table `[links]`.

    Args:
        file: its path.

    Returns:
        Setting -> value, as written; only the names are checked.

    Raises:
        UserError: when it cannot be read, is not TOML, or has an unknown key.
    """
    text = _text_of(file)
    try:
        raw = tomllib.loads(text)
    except RecursionError as error:
        raise UserError("is nested too deeply", file, "settings are plain lines NAME = VALUE") from error
    except ValueError as error:
        # Also a number of more digits than Python reads; only the first sentence of it concerns a performer.
        what = f"is not TOML ({str(error).partition(';')[0]})"
        raise UserError(what, file, "correct it; run_live.py config prints an example") from error
    settings: dict[str, Any] = {}
    for key, value in raw.items():
        if key == "links":
            settings.update(_links(file, value))
        else:
            settings[_known_key(file, key, known_keys())] = value
    return settings


def _text_of(file: str) -> str:
    """The text of a small regular file in UTF-8, with or without a byte-order mark."""
    expectation = "a TOML file; run_live.py config prints one"
    fix = f"give --config {expectation}"
    with attributed_to("config", file):
        check_input(file, "--config", expectation)
    if not os.path.isfile(file):
        raise UserError("is not a regular file", file, fix)
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UserError(f"is larger than {MAX_BYTES // 1024} kB", file, fix)
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot be read ({reason(error)})", file, fix) from error
    except UnicodeDecodeError as error:
        raise UserError("is not text in UTF-8", file, "save it as UTF-8") from error


def in_file(error: UserError, file: str, name: str, value: object) -> UserError:
    """The same error with the file, the key and the value as it is written there."""
    if isinstance(value, bool):
        text = str(value).lower()
    else:
        text = f'"{shorten(value)}"' if isinstance(value, str) else shorten(value)
    return UserError(error.what, f"{file}: {name} = {text}", error.fix)


def _known_key(file: str, key: str, allowed_keys: list[str]) -> str:
    name = key.replace("_", "-")
    if name not in allowed_keys:
        raise UserError("there is no such setting", f"{file}: {shorten(key)}", or_nearest(key, allowed_keys))
    return name


def _links(file: str, table: object) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise UserError("is a table", f"{file}: links", "write [links] on a line of its own, or leave it out")
    settings: dict[str, Any] = {}
    for key, value in table.items():
        if key == "addresses":
            if not isinstance(value, dict):
                fix = 'write it as addresses = {motion = "tcp://10.0.0.2:5001"}'
                raise UserError("is a table of stages and addresses", f"{file}: links: addresses", fix)
            settings["address"] = [f"{stage}={address}" for stage, address in value.items()]
        else:
            settings[_known_key(f"{file}: links", key, list(LINKS))] = value
    return settings


def example() -> str:
    """A commented TOML file with every setting, its range, its default and an example; all are commented out."""
    lines = [
        "# Settings of a show. Copy this into a file, take the # away from a line that begins with #NAME = VALUE,",
        "# and type: python run_live.py --config FILE.toml. Options of the command line win over the file.",
    ]
    for group in GROUPS:
        lines += ["", f"# ---- {group}"]
        for name in known_keys():
            setting = SETTINGS[name]
            if setting.group == group:
                lines += ["", *textwrap.wrap(setting.sentence(), 116, initial_indent="# ", subsequent_indent="# ")]
                lines.append(f"#{setting.toml_example()}")
    return "\n".join(lines) + "\n"

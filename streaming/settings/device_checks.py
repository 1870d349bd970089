"""Checks before a show of the devices and files that it names; no device library is imported."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from engines.bundles import find_bundle
from engines.contract import EngineError
from streaming.errors import SourceError, UserError
from streaming.schema.device_kinds import DEVICE_OPTIONS
from streaming.settings.config import Show
from streaming.settings.setting import attributed_to
from streaming.system.files import NamedFile, check_distinct, check_input, check_name, check_output, reason


def check_devices(show: Show) -> None:
    """Check the options of devices and files as far as possible without opening or writing anything.

    Raises:
        UserError: for the first one that is wrong.
    """
    for name in DEVICE_OPTIONS:
        check_device(show, name)
    for name in ("report", "record"):
        if path := getattr(show, name):
            with attributed_to(name, path):
                check_name(path, f"--{name}")


def check_device(show: Show, name: str) -> None:
    """Check one option of a device; see `check_devices`.

    Raises:
        SettingError: when it is wrong.
    """
    text, option = str(getattr(show, name)), DEVICE_OPTIONS[name]
    with attributed_to(name, text):
        kind, argument = option.find(text)
        if kind.file == "read":
            check_input(argument, option.option, kind.wanted)
        elif kind.file == "write":
            check_output(argument, option.option)


def check_files(show: Show, config: str = "") -> None:
    """Check the report and the record folder, and that no output is an input or another output.

    Args:
        show: the settings.
        config: the TOML file that they came from.

    Raises:
        UserError: for the first thing that is wrong.
    """
    if show.report:
        with attributed_to("report", show.report):
            check_output(show.report, "--report")
    if show.log:
        with attributed_to("log", show.log):
            check_output(show.log, "--log")
    if show.record:
        with attributed_to("record", show.record):
            check_folder(show.record, "--record")
    check_distinct(*files_of(show, config))


def files_of(show: Show, config: str = "") -> tuple[list[NamedFile], list[NamedFile]]:
    """The files and folders that a show reads, and the files that it writes under names of the user's choice."""
    inputs: list[NamedFile] = []
    outputs: list[NamedFile] = []
    for name, option in DEVICE_OPTIONS.items():
        kind, argument = option.find(str(getattr(show, name)))
        if kind.file:
            (inputs if kind.file == "read" else outputs).append(NamedFile(option.option, argument))
    named_inputs = (
        ("--prior", show.word("prior")),
        ("--config", config),
        ("--bundle", _bundle_folder(show.bundle)),
        ("--keys", show.links.keys),
    )
    inputs += [NamedFile(option, path) for option, path in named_inputs if path]
    outputs += [NamedFile("--report", show.report)] if show.report else []
    outputs += [NamedFile("--log", show.log)] if show.log else []
    return inputs, outputs


def _bundle_folder(bundle: str) -> str:
    """The bundle's folder; "" if there is none, which is reported when it is opened."""
    try:
        return str(find_bundle(bundle))
    except EngineError:
        return ""


def check_folder(path: str, option: str) -> None:
    """Check that a folder can be written into; it is made if it does not exist.

    Raises:
        UserError: when it cannot.
    """
    check_name(path, option)
    folder, fix = Path(path), f"give {option} a folder that you may write to, or none"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise SourceError("is not a folder", path, fix) from None
    except OSError as error:
        raise UserError(f"cannot be written into ({reason(error)})", path, fix) from error
    if not os.access(folder, os.X_OK):
        raise UserError("cannot be written into (permission denied)", path, fix)

"""Checks of a whole show before any process starts, and of every live control again when it changes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from engines.bundles import find_bundle, read_manifest
from engines.contract import EngineError
from engines.registry import check_backend
from streaming.errors import SettingError, shorten
from streaming.schema.device_kinds import BROWSER, WEB
from streaming.settings.config import Links, Show
from streaming.settings.controls import CONTROLS, ControlSpec
from streaming.settings.device_checks import check_device, check_devices, check_files, files_of
from streaming.settings.network_place import LOOPBACK, check_certificate, is_loopback, read_place
from streaming.settings.option_rows.patching import SHORTEST_TOKEN
from streaming.settings.option_table import OPTIONS
from streaming.settings.setting import attributed_to, or_nearest
from streaming.settings.values.dmx_patch import read_dmx_patch, read_dmx_place
from streaming.settings.values.schedule import read_schedule
from streaming.settings.values.timecode_source import check_timecode
from streaming.system.files import check_distinct, check_input, check_name

STANDSTILL = "--microphone none: nothing is heard, so the pictures stand still; with self they hear the music"


def check_show(show: Show, command: str = "play", config: str = "") -> list[str]:
    """Check everything that can be checked cheaply.

    Args:
        show: the settings.
        command: of the command line; only "play" and "bench" write files.
        config: the TOML file that some of the settings came from.

    Returns:
        Lines for the user.

    Raises:
        UserError: for the first thing that is wrong.
    """
    for name in ("direction", "backend", "eyes", "seed"):
        OPTIONS[name].read(getattr(show, name))
    try:
        instead = check_backend(show.backend)
    except EngineError as error:
        raise SettingError("backend", show.backend, str(error), "or leave it out") from error
    _check_bundle(show.bundle)
    check_controls(show)
    check_devices(show)
    notes = [f"--backend {show.backend}: {instead}"] if instead else []
    notes += _check_microphone(show)
    _check_links(show.links)
    _check_places(show)
    _check_lights(show)
    if show.timecode:
        check_timecode(show.timecode, show.midi)
    if show.schedule:
        read_schedule(show.schedule)
    if command in ("play", "bench"):
        check_files(show, config)
    return notes


def _check_places(show: Show) -> None:
    """Check that OSC and the console listen on this machine alone, unless others may connect; and the token."""
    for name, place in (("osc", show.osc), ("console", show.console)):
        host = read_place(place)[0] if place else LOOPBACK
        if not show.links.allow_remote and not is_loopback(host):
            fix = "give --allow-remote too, or the port alone"
            raise SettingError(name, place, "lets other machines set the controls", fix)
    if show.browser_devices and not show.console:
        fix = "give --console a port: browsers open its page"
        raise SettingError(show.browser_devices[0], BROWSER, "needs the console", fix)
    if show.screen == WEB and not show.console:
        raise SettingError("screen", WEB, "needs the console", "give --console a port: the picture is a page of it")
    _check_certificate(show)
    token = show.console_token
    if token and not re.fullmatch(rf"[A-Za-z0-9_.~-]{{{SHORTEST_TOKEN},128}}", token):
        what = f"must have at least {SHORTEST_TOKEN} letters and digits, and at most 128"
        raise SettingError("console-token", "…", what, "give another, or leave it out")


def _check_lights(show: Show) -> None:
    """Check the universes, their patch, and that a light desk is heard beyond this machine only where others may."""
    read_dmx_patch(show.dmx_patch)
    if show.dmx_out:
        read_dmx_place("dmx-out", show.dmx_out)
    if show.dmx_in and not is_loopback(read_dmx_place("dmx-in", show.dmx_in).host) and not show.links.allow_remote:
        raise SettingError("dmx-in", show.dmx_in, "lets other machines set the controls", "give --allow-remote too")


def _check_certificate(show: Show) -> None:
    """Check the files with which the console is encrypted."""
    for name, file in (("console-cert", show.console_cert), ("console-key", show.console_key)):
        if file:
            with attributed_to(name, file):
                check_input(file, f"--{name}", "a PEM file")
    if show.console_key and not show.console_cert:
        raise SettingError("console-key", show.console_key, "is the key of no certificate", "give --console-cert too")
    if show.console_cert:
        check_certificate(show.console_cert, show.console_key)


def check_controls(show: Show) -> None:
    """Check every control, also against the bundle and the files.

    Raises:
        UserError: for the first one that is wrong.
    """
    for name, row in CONTROLS.items():
        _check_control(show, row, row.read(show.controls[name]))


def with_control(show: Show, name: str, value: str) -> Show:
    """The settings with one live control changed; one that a stage confirms is checked by that stage.

    Args:
        show: the settings.
        name: a row of `CONTROLS` that is live.
        value: as it would be written on the command line.

    Raises:
        SettingError: when there is no such control, or it cannot have the value.
    """
    live = {row.name: row for row in CONTROLS.values() if row.live}
    where = f"set {shorten(name)} {shorten(value)}" if value else f'set {shorten(name)} ""'
    if name in live:
        try:
            checked = live[name].read(value)
            if name == "record" and checked and not show.record:
                what = "this show has no folder for takes"
                raise SettingError(name, value, what, "start it with --record DIR, and --record-later to begin by hand")
            if name == "bundle":
                return _with_bundle(show, str(checked))
            if live[name].kind == "device":
                return _with_device(show, name, str(checked))
            show = show.with_controls(**{name: checked})
            if not live[name].confirmed:
                _check_control(show, live[name], show.controls[name])
        except SettingError as error:
            raise SettingError(name, value, error.what, error.fix, where) from error
        return show
    if name in OPTIONS or name in CONTROLS:
        fix = f"end the show and start it again with --{name}"
        raise SettingError(name, value, "cannot be changed while a show runs", fix, where)
    raise SettingError(name, value, "there is no such control", or_nearest(name, live), where)


def _with_bundle(show: Show, bundle: str) -> Show:
    """The settings with another bundle.

    Raises:
        SettingError: when it cannot be used in this show.
    """
    _check_bundle(bundle)
    names = voices(bundle)
    if show.take:
        raise SettingError("bundle", bundle, "a take is played with its own bundle", "play it with --bundle")
    if names is None:
        raise SettingError("bundle", bundle, "is no bundle", "give a shipped bundle's name, or a bundle's folder")
    voice = show.word("voice")
    if voice not in ("auto", *names):
        raise SettingError("bundle", bundle, f"has no voice {voice}", "set voice auto first")
    return show.with_controls(bundle=bundle)


def _with_device(show: Show, name: str, text: str) -> Show:
    """The settings with another device.

    Raises:
        SettingError: when it is none, or cannot be changed to while the show runs.
    """
    if BROWSER in (text, getattr(show, name)) and text != getattr(show, name):
        raise SettingError(name, text, "a browser is chosen before the show", f"start it again with --{name} {text}")
    changed = show.with_controls(**{name: text})
    with attributed_to(name, text):
        check_device(changed, name)
        check_distinct(*files_of(changed))
    return changed


def voices(bundle: str) -> list[str] | None:
    """A bundle's voices; None if the bundle cannot be read, which is reported when it is opened."""
    try:
        networks = read_manifest(find_bundle(bundle))["networks"]
    except EngineError:
        return None
    return [str(name) for name in networks.get("translator", {}).get("config", {}).get("voice_names", ())]


def _check_control(show: Show, row: ControlSpec, value: float | str) -> None:
    """Checks beyond the control's row: the bundle's voices, and whether a file can be read."""
    if isinstance(value, float) or value in row.choices:
        return
    if row.kind == "image" and value:
        with attributed_to(row.name, value):
            check_input(value, f"--{row.name}", "an image")
    elif row.kind == "voice":
        voice_names = voices(show.bundle)
        if voice_names is not None and value not in voice_names:
            raise SettingError(row.name, value, "is no voice of the bundle", or_nearest(value, ["auto", *voice_names]))


def _check_bundle(bundle: str) -> None:
    if not bundle:
        raise SettingError("bundle", bundle, "names nothing", "give a shipped bundle's name, or a bundle's folder")
    with attributed_to("bundle", bundle):
        check_name(bundle, "--bundle")
    if os.sep in bundle:
        _check_folder("bundle", bundle, "give --bundle a bundle's folder, or a shipped one's name")


def _check_microphone(show: Show) -> list[str]:
    name = show.microphone
    reverse_only = show.direction == "music-to-video"
    if name == "self" and reverse_only:
        fix = "use --direction both, or another --microphone"
        raise SettingError("microphone", name, "no music is made that could be heard", fix)
    if name == "none" and reverse_only:
        fix = "give --microphone auto, a device or a sound file, or use --direction video-to-music"
        raise SettingError("microphone", name, "music-to-video needs music to hear", fix)
    return [STANDSTILL] if name == "none" and show.direction == "both" else []


def _check_links(links: Links) -> None:
    if links.run_dir:
        with attributed_to("run-dir", links.run_dir):
            check_name(links.run_dir, "--run-dir")
    if links.addresses and not links.keys:
        pair = "=".join(next(iter(links.addresses.items())))
        fix = "make them with run_live.py keys DIR, give --keys DIR"
        raise SettingError("address", pair, "links between machines need keys", fix)
    if links.keys:
        fix = f"make keys: python run_live.py keys {shorten(links.keys)}"
        _check_folder("keys", links.keys, fix)
        if not (Path(links.keys) / "antiphon.key_secret").is_file():
            raise SettingError("keys", links.keys, "there are no keys in it", fix)


def _check_folder(setting: str, path: str, fix: str) -> None:
    """Check that a folder exists and can be listed."""
    with attributed_to(setting, path):
        check_name(path, f"--{setting}")
    try:
        os.listdir(path)
    except FileNotFoundError as error:
        raise SettingError(setting, path, "there is no such folder", fix) from error
    except NotADirectoryError as error:
        raise SettingError(setting, path, "is not a folder", fix) from error
    except OSError as error:
        raise SettingError(setting, path, f"cannot be looked into ({error.strerror})", fix) from error

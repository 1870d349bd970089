"""The search for a sound device that has gone: in a thread of its own, twice a second, until it is back."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Generic, TypeVar

from streaming.devices.sound.portaudio import load_sounddevice
from streaming.errors import DeviceLostError, UserError
from streaming.stage import Context
from streaming.timing import clock

RETRY_S = 0.5
"""Seconds between two looks for a device; a look costs 2 ms of a core."""
STALLED_NS = 1_000_000_000
"""A device that has asked for nothing for this long has stopped, whatever its driver says."""
STALLED_LOOKS = 20
"""So many looks must have found it idle meanwhile: a process that was suspended has looked only once."""
HALT_S = 5.0
"""A look that goes on has so long to end before another device is opened."""
CLOSE_S = 0.2
"""A device is closed within this time, or left to end with the process: JACK's client waits for a dead server. A stage
that closes gives no sign of life, and must not be taken for one that hangs."""

D = TypeVar("D")


class DeviceSearch(Generic[D]):
    """Tries to open a device until that succeeds.

    Opening may block for as long as a sound server hangs, so it is done in a thread of its own.

    Args:
        attempt: opens the device, or raises.
        retry_s: seconds between two attempts.

    Attributes:
        failed: an attempt has failed.
    """

    def __init__(self, attempt: Callable[[], D], retry_s: float = RETRY_S) -> None:
        self.failed = False
        self._attempt, self._retry_s = attempt, retry_s
        self._found: D | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="device-search", daemon=True)
        self._thread.start()

    def take(self) -> D | None:
        """The device, once it has been opened; None before, and after it was taken."""
        found, self._found = self._found, None
        return found

    def close(self) -> None:
        """End the search; an attempt that hangs ends with the process."""
        self._stop.set()
        self._thread.join(CLOSE_S)

    def halt(self) -> D | None:
        """End the search and wait for the look that goes on; gives the device that it found, which nobody has taken."""
        self._stop.set()
        self._thread.join(HALT_S)
        return self.take()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._found = self._attempt()
                return
            except Exception:
                # Most are `UserError`, but drivers raise all kinds of errors while a device comes and goes.
                self.failed = True
            self._stop.wait(self._retry_s)


class DeviceFinder(Generic[D]):
    """What a stage does about a sound device that may go: looks for it when it has gone, and says and counts both.

    The memo has `device` from `keep` on, and `lost_ns` while the device is away; the counters are `device_lost` and
    `device_back` (the stage counts `away_ms`), and `info["away"]` is true while it is away.

    Args:
        context: of the stage.
        finder: opens the device by its `device`, or raises.
        meanwhile: what the show does without it, in words.
    """

    def __init__(self, context: Context, finder: Callable[[str], D], meanwhile: str) -> None:
        self._context, self._finder, self._meanwhile = context, finder, meanwhile
        self._search: DeviceSearch[D] | None = None
        if self.lost:
            context.info["away"] = True
        if self._device:
            self._search = DeviceSearch(lambda: self._finder(self._device))

    @property
    def searching(self) -> bool:
        """Whether the device is looked for: from the start in a stage that was started again."""
        return self._search is not None

    @property
    def lost(self) -> bool:
        """Whether the device has gone, and is not in use again."""
        return "lost_ns" in self._context.memo

    def keep(self, device: str, name: str) -> None:
        """Remember by what the device in use is found again, "" for what cannot go, and its name for the user."""
        if device:
            self._context.memo.update(device=device, device_name=name)
        else:
            # The stage may have had one before.
            self._context.memo.pop("device", None)
            self._context.memo.pop("device_name", None)

    def find(self, now_ns: int, use: Callable[[D], None]) -> bool:
        """Whether the device has been found and is in use.

        Args:
            now_ns: the time.
            use: starts the device; raises `UserError` when it has gone again.

        Raises:
            DeviceLostError: when it has gone again.
        """
        search, name = self._search, str(self._context.memo.get("device_name") or self._device)
        if search is None or (found := search.take()) is None:
            if search is not None and search.failed:
                self.say_lost(now_ns, name)
            return False
        try:
            use(found)
        except UserError as error:
            self.say_lost(now_ns, name)
            raise DeviceLostError(str(error)) from error
        self._search = None
        return True

    def say_lost(self, now_ns: int, name: str) -> None:
        """Say and count that the device has gone; once, until it is back."""
        context = self._context
        if self.lost:
            return
        context.memo["lost_ns"] = now_ns
        context.info["away"] = True
        context.metrics.count("device_lost")
        context.note(f"{name} has gone; {self._meanwhile}, and it is looked for until it is back")

    def say_back(self, now_ns: int, name: str, samplerate: int) -> None:
        """Say and count that the device is in use again."""
        lost_ns = self._context.memo.pop("lost_ns", None)
        if lost_ns is None:
            return
        self._context.info["away"] = False
        self._context.metrics.count("device_back")
        away_s = (now_ns - int(lost_ns)) / 1e9
        self._context.note(f"{name} is back after {away_s:.1f} s, at {samplerate} Hz")

    def pause(self) -> D | None:
        """Look no longer for now, from any thread: PortAudio cannot look anew while another device is opened.

        Returns:
            The device where it was found just now; the caller closes it.
        """
        search = self._search
        return None if search is None else search.halt()

    def resume(self) -> None:
        """Look again after a pause, where the device is still wanted."""
        if self._search is not None:
            self._search = DeviceSearch(lambda: self._finder(self._device))

    def give_up(self) -> None:
        """Look no longer: another device is in use."""
        self.close()
        self._search = None

    def close(self) -> None:
        """End the search."""
        if self._search is not None:
            self._search.close()

    @property
    def _device(self) -> str:
        return str(self._context.memo.get("device", ""))


class Pulse:
    """Notices a device that has stopped calling, from the number of its calls."""

    def __init__(self, now_ns: Callable[[], int] = clock.now_ns) -> None:
        self._now_ns = now_ns
        self._calls = -1
        self._since_ns = self._looks = 0

    def beats(self, calls: int) -> bool:
        """Whether the device may still be at work, which has called so many times so far."""
        if calls != self._calls:
            self._calls, self._since_ns, self._looks = calls, self._now_ns(), 0
        self._looks += 1
        return self._looks < STALLED_LOOKS or self._now_ns() - self._since_ns < STALLED_NS


def rescan() -> ModuleType:
    """Let PortAudio look for devices anew: it lists them only once. No stream may be open.

    Raises:
        UserError: when PortAudio is missing.
    """
    sd = load_sounddevice()
    # It is not running after a scan that failed.
    with contextlib.suppress(sd.PortAudioError):
        sd._terminate()
    try:
        sd._initialize()
    except sd.PortAudioError as error:
        raise UserError(f"PortAudio finds no sound system ({error})", "audio", "start the sound server") from error
    return sd


def close_stream(sd: ModuleType, stream: Any, *, dead: bool = False) -> None:
    """Stop a stream at once and close it, within `CLOSE_S`; one that hangs is left to end with the process.

    Args:
        sd: sounddevice.
        stream: the stream.
        dead: its device has gone. Then it is left as it is: the client of a dead JACK server hangs or crashes.
    """

    def close() -> None:
        try:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
        except sd.PortAudioError:
            # A sound server that has ended refuses even this; nothing is left to release.
            return

    thread = threading.Thread(target=close, name="close-device", daemon=True)
    if not dead:
        thread.start()
        thread.join(CLOSE_S)
    if (dead or thread.is_alive()) and (handler := getattr(sd, "_exit_handler", None)) is not None:
        # At the end of the process sounddevice closes what is open, which would hang in the same way.
        atexit.unregister(handler)

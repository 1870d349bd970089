"""From the logs of a bench to one latency for each trial: pure functions, no trial is left out.

Light to sound: of each flash the capture of the first frame that shows it, the first sample that leaves the device
changed, and the audible onset. The instrument is silent to the bit before a flash, because its gate is closed; so the
first sample that is not zero is the first that the flash has influenced. A strike is a loss of motion: the onset
follows the second frame.

Sound to light: of each impulse the first picture whose checksum is not that of the picture at rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from benchmarks.rig.trial_plan import Flash, PictureStamps, TickStamps
from streaming.conventions import TICK_NS

WINDOW_NS, REVERSE_WINDOW_NS = 600_000_000, 500_000_000
"""What comes later is no answer."""
BEFORE_NS = 30_000_000
"""The time before a trial in which there must be silence, or rest."""
SMOOTH_S = 1.0
STEADY_NS = 200_000_000
"""Pictures that come in a longer interval than this are no moving picture."""
QUIETEST_PEAK = 0.003
"""An answer whose peak is below -50 dB of full scale is not heard."""
ONSET_SHARE = 0.1
"""The onset is the first sample above a tenth of the answer's peak."""
PEAK_NS = 60_000_000
"""The peak is that of the answer's first 60 ms."""

Trial = dict[str, Any]


@dataclass(frozen=True)
class DeviceRecording:
    """What was recorded at the audio device, with the times of its samples.

    Attributes:
        samples: float32 [n].
        cycles: int64 [cycles, 3]: position of the first sample, its monotonic time in ns (see `smooth_cycles`), number
            of samples.
        rate_hz: of the server.
        device_ns: how long after its cycle a sample leaves the device, as the server says.
    """

    samples: NDArray[np.float32]
    cycles: NDArray[np.int64]
    rate_hz: float
    device_ns: int = 0

    def time_of(self, position: int) -> int:
        """When a sample leaves the device, monotonic ns."""
        row = max(0, int(np.searchsorted(self.cycles[:, 0], position, side="right")) - 1)
        begin, time_ns, _ = self.cycles[row]
        return int(time_ns) + round((position - int(begin)) * 1e9 / self.rate_hz) + self.device_ns

    def position_at(self, time_ns: int) -> int:
        """The first sample that leaves the device at or after a time."""
        time_ns -= self.device_ns
        row = max(0, int(np.searchsorted(self.cycles[:, 1], time_ns, side="right")) - 1)
        begin, at_ns, count = self.cycles[row]
        into = int(np.ceil((time_ns - int(at_ns)) * self.rate_hz / 1e9))
        return int(begin) + min(max(into, 0), int(count))


def smooth_cycles(cycles: NDArray[np.int64], rate_hz: float) -> NDArray[np.int64]:
    """The times at which cycles began, from the times at which a client was called in them.

    A call is never early but often late. So a cycle began when the least late call of the second before it, or of the
    second after it, says; the later of the two, so that a device that has paused goes on at its new time at once. The
    server's own filter (jack_get_cycle_times) needs seconds after a stall to be right again.

    Args:
        cycles: int64 [n, 3]: position of the first sample, time of the call in ns, number of samples.
        rate_hz: of the server.

    Returns:
        The same with the times smoothed.
    """
    if not cycles.shape[0]:
        return cycles
    nominal_ns = np.round(cycles[:, 0] * 1e9 / rate_hz).astype(np.int64)
    late_ns = cycles[:, 1] - nominal_ns
    size = max(1, round(SMOOTH_S * rate_hz / max(1, int(np.median(cycles[:, 2])))))
    before = minimum_filter1d(late_ns, 2 * size + 1, mode="nearest", origin=size)
    after = minimum_filter1d(late_ns, 2 * size + 1, mode="nearest", origin=-size)
    # At either end there is only one side to look at.
    before[:size], after[-size:] = after[:size], before[-size:]
    smooth = cycles.copy()
    smooth[:, 1] = nominal_ns + np.maximum(before, after)
    return smooth


def forward_trials(flashes: list[Flash], recording: DeviceRecording, stamps: list[TickStamps]) -> list[Trial]:
    """A trial for each flash; times in ms, null where there was no answer.

    Args:
        flashes: as the camera saw them.
        recording: of the show's output.
        stamps: of every tick, in order; empty where nothing was listened to.
    """
    ends_ns = [flash.event_ns for flash in flashes[1:]] + [flashes[-1].event_ns + WINDOW_NS] if flashes else []
    return [_forward_trial(flash, end_ns, recording, stamps) for flash, end_ns in zip(flashes, ends_ns, strict=True)]


def _forward_trial(flash: Flash, end_ns: int, recording: DeviceRecording, stamps: list[TickStamps]) -> Trial:
    changed_ns, onset_ns, silent, peak = find_answer(recording, flash.event_ns, end_ns)
    stamped = next((tick for tick in stamps if tick.capture_ns >= flash.frame_ns), None)
    stamped_ns = None if stamped is None or stamped.leaves_ns > flash.event_ns + WINDOW_NS else stamped.leaves_ns
    changed_ns = changed_ns if silent else None
    return {
        "event_ns": flash.event_ns,
        "wait_ms": _ms(flash.frame_ns, flash.event_ns),
        "changed_ms": _ms(changed_ns, flash.event_ns),
        "onset_ms": _ms(onset_ns, flash.event_ns),
        "frame_to_sound_ms": _ms(changed_ns, flash.frame_ns),
        "frame_to_onset_ms": _ms(onset_ns, flash.frame_ns),
        "stamps_ms": _ms(stamped_ns, flash.frame_ns),
        "external_minus_stamps_ms": _ms(changed_ns, stamped_ns),
        "silent_before": silent,
        "peak": round(peak, 5),
    }


def find_answer(recording: DeviceRecording, event_ns: int, end_ns: int) -> tuple[int | None, int | None, bool, float]:
    """Find the answer to an event in a recording, before `end_ns` and within `WINDOW_NS`.

    Returns:
        When the first sample changed, when the onset was (None for neither), whether it was silent to the bit before,
        and the answer's peak.
    """
    begin = recording.position_at(event_ns)
    window = np.abs(recording.samples[begin : recording.position_at(min(end_ns, event_ns + WINDOW_NS))])
    before = np.abs(recording.samples[max(0, recording.position_at(event_ns - BEFORE_NS)) : begin])
    floor = float(before.max(initial=0.0))
    changed = int(np.argmax(window > floor)) if bool((window > floor).any()) else None
    loud = window > max(QUIETEST_PEAK, 2.0 * floor)
    if not bool(loud.any()):
        return _time(recording, begin, changed), None, floor == 0.0, float(window.max(initial=0.0))
    first = int(np.argmax(loud))
    peak = float(window[first : first + round(PEAK_NS * recording.rate_hz / 1e9)].max())
    onset = int(np.argmax(window > max(ONSET_SHARE * peak, 2.0 * floor, QUIETEST_PEAK)))
    return _time(recording, begin, changed), _time(recording, begin, onset), floor == 0.0, peak


def _time(recording: DeviceRecording, begin: int, place: int | None) -> int | None:
    return None if place is None else recording.time_of(begin + place)


def reverse_trials(impulses_ns: list[int], pictures: NDArray[np.int64], stamps: list[PictureStamps]) -> list[Trial]:
    """A trial for each impulse; times in ms, null where there was no answer.

    Args:
        impulses_ns: when each impulse was at the device.
        pictures: int64 [n, 3]: tick, when it was shown, its checksum.
        stamps: of every picture, in order; empty where nothing was listened to.
    """
    ends_ns = [*impulses_ns[1:], *(time_ns + REVERSE_WINDOW_NS for time_ns in impulses_ns[-1:])]
    return [
        _reverse_trial(time_ns, min(end_ns, time_ns + REVERSE_WINDOW_NS), pictures, stamps)
        for time_ns, end_ns in zip(impulses_ns, ends_ns, strict=True)
    ]


def _reverse_trial(impulse_ns: int, end_ns: int, pictures: NDArray[np.int64], stamps: list[PictureStamps]) -> Trial:
    after = int(np.searchsorted(pictures[:, 1], impulse_ns, side="right"))
    sums = pictures[:, 2]
    # The null instrument shows a picture only when it answers.
    is_steady = after >= 2 and pictures[after - 1, 1] - pictures[after - 2, 1] < STEADY_NS
    at_rest = not is_steady or sums[after - 1] == sums[after - 2]
    changed_ns: int | None = None
    # A picture that moves anyway tells nothing: such a trial is missed, and counted.
    if after >= 1 and at_rest:
        window = (pictures[after:, 1] <= end_ns) & (sums[after:] != sums[after - 1])
        if bool(window.any()):
            changed_ns = int(pictures[after + int(np.argmax(window)), 1])
    own = next((shown for shown in stamps if shown.capture_ns <= impulse_ns < shown.capture_ns + TICK_NS), None)
    own_ns = own.shown_ns if own else None
    return {
        "event_ns": impulse_ns,
        "wait_ms": _ms(own.capture_ns + TICK_NS, impulse_ns) if own else None,
        "changed_ms": _ms(changed_ns, impulse_ns),
        "stamps_ms": _ms(own_ns, impulse_ns),
        "external_minus_stamps_ms": _ms(changed_ns, own_ns),
        "tick_to_picture_ms": _ms(changed_ns, own.capture_ns) if own else None,
        "at_rest_before": bool(at_rest),
    }


def _ms(later_ns: int | None, earlier_ns: int | None) -> float | None:
    return None if later_ns is None or earlier_ns is None else round((later_ns - earlier_ns) / 1e6, 3)

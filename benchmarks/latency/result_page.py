"""The page of a latency bench: figures, floor, stamps, verdicts, conditions, plots."""

from __future__ import annotations

from typing import Any

from benchmarks.latency.plots import draw_way
from benchmarks.result_files import SUMMARY_HEAD, ResultPage, Section, table_rows, text_of

NAME = "bench-latency"
_FORWARD = (
    ("light to first changed sample", "changed_ms"),
    ("light to heard onset", "onset_ms"),
    ("frame to first changed sample (motion-to-sound)", "frame_to_sound_ms"),
    ("the same by the show's stamps", "stamps_ms"),
    ("frame to heard onset", "frame_to_onset_ms"),
)
_REVERSE = (
    ("impulse to first changed picture", "changed_ms"),
    ("the same by the show's stamps", "stamps_ms"),
    ("its tick's first sample to that picture (sound-to-picture)", "tick_to_picture_ms"),
)
_WORDS = {
    "forward": (
        "A disc flashes for 0.1 s at random times before the camera. The first changed sample is the first that is not "
        "digital silence: the gate of the music opens with the first frame that shows the flash. The heard onset is "
        "where the sound passes a tenth of its peak. A strike is a loss of motion, so it takes a second frame; and the "
        "translator places its attack within the tick.",
    ),
    "reverse": (
        "An impulse of 2 ms is written into the microphone's port at random times. The first changed picture is the "
        "first whose checksum is not that of the picture at rest.",
    ),
}
_CONDITIONS = {
    "camera": "camera",
    "camera_hz": "frames per second",
    "camera_in_step": "camera kept in step with the ticks",
    "exposure": "exposure",
    "kernel_stamps": "capture times",
    "audio_device": "audio device",
    "audio_rate_hz": "audio rate, Hz",
    "audio_period_frames": "audio period, frames",
    "audio_device_ms": "the device's own buffer, ms",
    "recorder_lost_samples": "samples that the recording lacks",
    "stolen_percent": "stolen by the host, % of the cores",
    "load_1_5_15": "load over 1, 5, 15 minutes",
    "kept_awake": "cores kept awake",
}


def make_page(found: dict[str, Any]) -> ResultPage:
    """The page of a result."""
    forward, reverse, floor = found["forward"], found["reverse"], found["floor"]
    words = () if found["finished"] else ("The show was ended before its last trial.",)
    sections = [Section("", words, big=tuple(_headline(found)))]
    if forward:
        sections += _way("Light to sound", "forward", forward, floor, _FORWARD)
    if reverse:
        sections += _way("Sound to light", "reverse", reverse, floor, _REVERSE)
    sections.append(_conditions(found))
    host = found["host"]
    line = (
        f"Antiphon {found['version']}, {host['cpu']}, {host['cores']} cores, {host['gpu'] or 'no GPU'}; direction "
        f"{found['direction']}, bundle {found['bundle']}, {found['backend']}; {found['at']}"
    )
    return ResultPage("Latency from light to sample and from sound to light", line, tuple(sections), found)


def _headline(found: dict[str, Any]) -> list[tuple[str, str]]:
    big = []
    for way, key, words in (
        ("forward", "frame_to_sound_ms", "motion-to-sound p50, from outside"),
        ("forward", "changed_ms", "light to first changed sample p50"),
        ("forward", "onset_ms", "light to heard onset p50"),
        ("reverse", "changed_ms", "sound to changed picture p50"),
    ):
        if found[way] and found[way][key]["p50"] is not None:
            big.append((f"{found[way][key]['p50']:.0f} ms", words))
    return big


def _way(
    title: str, way: str, found: dict[str, Any], floor: dict[str, Any] | None, rows: tuple[tuple[str, str], ...]
) -> list[Section]:
    # With an LED nobody knows which frame shows it, and a line input is never silent to the bit.
    led = floor is None
    figures = [(words, found[key]) for words, key in rows if not led or key == "onset_ms"]
    if floor is not None:
        figures.insert(1, ("the null instrument, the same (the floor)", floor[way]["changed_ms"]))
    difference = found["external_minus_stamps_ms"]
    if not led:
        figures.append(("outside less stamps, trial by trial", difference))
    words = list(_WORDS[way])
    if difference["agrees"] is not None:
        yes = "agree" if difference["agrees"] else "do NOT agree"
        words.append(
            f"The show's stamps and the external measure {yes}: they differ by {difference['p50']:.2f} ms at the "
            f"median, by at most 5 ms in {100 * difference['within_5_ms']:.1f} % of the trials."
        )
    if found.get("not_at_rest"):
        words.append(f"In {found['not_at_rest']} trials the picture still moved before the impulse: they are missed.")
    verdicts = tuple((row["verdict"], row["source"]) for row in found["verdicts"])
    picture = draw_way(found, None if floor is None else floor[way], way)
    return [
        Section(title, tuple(words), SUMMARY_HEAD, table_rows(figures), png=picture),
        Section("", (), ("verdict", "source"), verdicts, prose=True),
    ]


def _conditions(found: dict[str, Any]) -> Section:
    conditions, report = found["conditions"], found["report"]
    rows = []
    for key, words in _CONDITIONS.items():
        value = conditions[key]
        if isinstance(value, list):
            value = ", ".join(text_of(part, 2) for part in value)
        rows.append((words, text_of(value, 2)))
    ticks, audio, pictures = report["ticks"], report["audio"], report["pictures"]
    stamps = report["motion_to_sound_ms"]
    rows += [
        ("motion-to-sound by the report's stamps p50, p99, ms", f"{text_of(stamps['p50'])}, {text_of(stamps['p99'])}"),
        ("ticks played of expected", f"{text_of(ticks['played'])} of {text_of(ticks['expected'])}"),
        ("underruns", text_of(audio["underruns"])),
        ("pictures missed after the first second", text_of(pictures["missed_after_first_second"])),
    ]
    return Section("Conditions", (), ("", ""), tuple(rows), prose=True)

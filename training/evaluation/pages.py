"""The evaluations' pages: figures to look at, and sounds to listen to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from streaming.conventions import SAMPLE_RATE
from training.evaluation.codec import OPUS_KBITS, Sample, mel_distance, through_codec
from training.evaluation.forward_loop import Response
from training.evaluation.html_page import Page, bars, compare
from training.evaluation.latent import GROUP, LARGEST_SHIFT, LatentPair, match, shift_errors
from training.measures.opus import through_opus

EXAMPLES = 2
"""Clips of each kind to listen to."""
BY_KIND = {
    "forward": ("onset_f1_50ms", "onset_f1_50ms_shuffled", "onset_f1_50ms_rule", "onset_f1_50ms_of_true_sound"),
    "latent": ("found_first", "found_first_rule", "shift_within_1", "shift_within_1_rule", "shift_within_1_shuffled"),
}


METHODS = (
    *("onset_f1_50ms_fitted", "flow_peaks_onset_f1_50ms_fitted", "deceleration_onset_f1_50ms_fitted"),
    "motion_features_onset_f1_50ms_fitted",
)
"""The figure of music and rules that is drawn."""


def _with_controls(*names: str) -> tuple[str, ...]:
    return tuple(column for name in names for column in (name, f"{name}_control"))


PRECISIONS = tuple(name.replace("onset_f1_50ms_fitted", "average_precision") for name in METHODS)
GROUP_COLUMNS = (
    ("n_films", "n_scored", *_with_controls(*METHODS), "better_rule", "gain_over_rule_f1_50ms"),
    ("least_gain_over_rule_f1_50ms", "film_of_least_gain", *_with_controls(*PRECISIONS)),
    _with_controls("loudness_correlation", "loudness_correlation_fitted"),
)
"""Tables of groups: columns."""
FILM_COLUMNS = {
    "The films": ("groups", "seconds", "frame_rate_hz", "n_onsets", "onsets_from", "level_db_of_music"),
    "Onset F1 at ±50 ms, music and rules": (
        *("onset_f1_50ms", *_with_controls(*METHODS), "shift_ms", "flow_peaks_shift_ms", "deceleration_shift_ms"),
        *("motion_features_shift_ms", "deceleration_threshold", "motion_features_threshold"),
        *("better_rule", "gain_over_rule_f1_50ms"),
    ),
    "Average precision": _with_controls(*PRECISIONS),
    "Loudness": _with_controls("loudness_correlation", "loudness_correlation_fitted"),
}
"""Tables of films: title -> columns."""


def _begin(folder: Path, title: str, figures: dict[str, Any], what: str) -> Page:
    page = Page(folder, title)
    seeds = ", seeds {} to {}".format(*figures["seeds"]) if "seeds" in figures else ""
    page.text(f"{figures['split']}{seeds}. Made by:")
    page.command(str(figures.get("command", "")))
    page.scores(figures)
    if kinds := figures.get("by_kind"):
        names = BY_KIND[what]
        page.heading("By kind")
        page.plot(bars({kind: {name: row[name] for name in names} for kind, row in kinds.items()}), "by kind")
        page.table(
            ["kind", "clips", *names], [[k, row["n_clips"], *(row[n] for n in names)] for k, row in kinds.items()]
        )
    if "by_film" in figures:
        _add_films(page, figures)
    for name, reason in figures.get("refused", {}).items():
        page.text(f"{name} was not used: {reason}")
    return page


def _add_films(page: Page, figures: dict[str, Any]) -> None:
    """Music and rules side by side, by group and by film."""
    groups = figures["by_group"]
    page.heading("By group of films")
    drawn = {"music": METHODS[0], "its control": f"{METHODS[0]}_control", "flow peaks": METHODS[1]}
    drawn |= {"deceleration": METHODS[2], "motion features": METHODS[3]}
    rows = {group: {label: row[name] for label, name in drawn.items()} for group, row in groups.items()}
    page.plot(bars(rows), "onset F1 at the shift chosen on the other half of each film")
    for columns in GROUP_COLUMNS:
        head = [name.replace("_", " ") for name in columns]
        page.table(["group", *head], [[group, *(row.get(n) for n in columns)] for group, row in groups.items()])
    page.heading("By film")
    for title, columns in FILM_COLUMNS.items():
        page.text(title)
        head = [name.replace("_", " ") for name in columns]
        page.table(["film", *head], [[film, *(row[n] for n in columns)] for film, row in figures["by_film"].items()])
    page.text("; ".join(f"{name.replace('_', ' ')}: {words}" for name, words in figures["method"].items()))


def forward_page(folder: Path, figures: dict[str, Any], answers: list[Response]) -> Path:
    """The page of the forward evaluation: what was played, and the music made for it."""
    page = _begin(folder, "Video to music", figures, "forward")
    page.heading("To listen to")
    counts: dict[str, int] = {}
    for one in answers:
        counts[one.kind] = counts.get(one.kind, 0) + 1
        if counts[one.kind] > EXAMPLES:
            continue
        page.plot(compare(one.reference, one.music, one.onsets), f"{one.kind}, {one.name}")
        page.sounds({"played": one.reference, "made": one.music})
    return page.write()


def codec_page(folder: Path, figures: dict[str, Any], groups: dict[str, list[Sample]], bundle: str) -> Path:
    """The page of the codec: what it makes of sounds, beside Opus."""
    page = Page(folder, "The codec")
    page.text(f"{figures['kbits_per_s']} kbit/s, a tick at a time; {figures['split']}.")
    page.command(str(figures.get("command", "")))
    rows = {
        name: {"codec": figures[name]["mel"]} | {f"Opus {k}": figures[name][f"opus_{k}_mel"] for k in OPUS_KBITS}
        for name in groups
    }
    page.plot(bars(rows), "multi-scale mel distance; less is better")
    for name in groups:
        page.heading(name)
        page.scores(figures[name])
    page.text(f"Silence in gives {figures['silence_db']} dBFS at most.")
    for name, samples in groups.items():
        page.heading(f"To listen to: {name}")
        for sample in samples[: 3 * EXAMPLES]:
            reconstruction = through_codec(sample.sound, bundle)
            opus = {k: through_opus(sample.sound, SAMPLE_RATE, 1000 * k) for k in (6, 12)}
            page.plot(compare(sample.sound, reconstruction, np.zeros(0)), sample.name)
            page.sounds(
                {
                    f"{sample.name}": sample.sound,
                    f"codec, {mel_distance(reconstruction, sample.sound):.2f}": reconstruction,
                }
                | {f"Opus {k} kbit/s, {mel_distance(x, sample.sound):.2f}": x for k, x in opus.items()}
            )
    return page.write()


def latent_page(folder: Path, figures: dict[str, Any], pairs: list[LatentPair]) -> Path:
    """The page of the latent space: similarities of videos and sounds, and errors of the shift that is found."""
    page = _begin(folder, "The coordinated latent space", figures, "latent")
    group = pairs[:GROUP]
    table = np.array([[match(a.video, b.audio) for b in group] for a in group])
    figure = Figure(figsize=(6, 5.2))
    axes = figure.subplots()
    axes.set(xlabel="sound of clip", ylabel="video of clip")
    figure.colorbar(axes.imshow(table, cmap="viridis"))
    page.heading("Which sound belongs to which video")
    page.plot(figure, "likeness of every video and every sound of the first group; the right ones are the diagonal")
    errors = shift_errors([p.video for p in pairs], [p.audio for p in pairs])
    others = shift_errors([p.video for p in pairs], [p.audio for p in [*pairs[1:], pairs[0]]])
    figure = Figure(figsize=(8, 3))
    axes = figure.subplots()
    edges = [tick - 0.5 for tick in range(-2 * LARGEST_SHIFT, 2 * LARGEST_SHIFT + 2)]
    axes.hist([errors, others], edges, label=["own sound", "another clip's"])
    axes.set_xlabel("ticks of 40 ms between the shift that is found and the true one")
    axes.legend(frameon=False)
    page.heading("By how much picture and sound are apart")
    page.plot(figure, "errors of the shift that is found")
    return page.write()

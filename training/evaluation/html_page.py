"""A page in one folder that opens in any browser: figures with their controls, plots and audio players."""

from __future__ import annotations

import html
import wave
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.codec.partial_analysis import mel_bank
from streaming.conventions import SAMPLE_RATE
from training.measures.onsets import HOP_S, flux

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .25rem .75rem; text-align: right; }
th { border-bottom: 1px solid #999; } td:first-child, th:first-child { text-align: left; }
tr:nth-child(even) td { background: #f4f4f1; } img, video { max-width: 100%; } audio { width: 100%; height: 2.2rem; }
figure { margin: 1rem 0; } figcaption { color: #555; } .grid { display: grid; gap: 1rem 2rem;
grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); } code { background: #f4f4f1; padding: 0 .25rem; }
"""
CONTROLS = ("control", "shuffled", "rule", "chance", "of_true_sound", "still", "constant", "of_truth")
"""Endings of the names of figures that are another figure's control."""
BANDS = 80
WINDOW = 1024


class Page:
    """A page that is written from top to bottom.

    Args:
        folder: made if need be; `index.html` and its files go there.
        title: the heading.
    """

    def __init__(self, folder: Path, title: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._title = title
        self._parts: list[str] = []
        self._count = 0

    def heading(self, text: str) -> None:
        """Add a section's heading."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def command(self, command: str) -> None:
        """Add the command that made the figures."""
        self._parts.append(f"<p><code>{html.escape(command)}</code></p>")

    def table(self, head: list[str], rows: list[list[Any]]) -> None:
        """Add a table; numbers have at most three decimals."""
        cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_format_value(v))}</td>" for v in row) + "</tr>" for row in rows
        )
        self._parts.append(f"<table><tr>{cells}</tr>{body}</table>")

    def scores(self, figures: dict[str, Any]) -> None:
        """Add a table of all plain figures, each with its interval and its controls in one row."""
        names = [
            name
            for name, value in figures.items()
            if isinstance(value, int | float) and not name.endswith((*CONTROLS, "_interval"))
        ]
        rows = []
        for name in names:
            interval = figures.get(f"{name}_interval")
            present = [control for control in CONTROLS if f"{name}_{control}" in figures]
            controls = [
                f"{control.replace('_', ' ')} {_format_value(figures[f'{name}_{control}'])}"
                + (f" ({_format_span(span)})" if (span := figures.get(f"{name}_{control}_interval")) else "")
                for control in present
            ]
            span = _format_span(interval) if interval else ""
            rows.append([name.replace("_", " "), figures[name], span, ", ".join(controls)])
        self.table(["figure", "value", "95 % interval", "controls"], rows)

    def plot(self, figure: Figure, caption: str) -> None:
        """Add a plot, as PNG where it has images, else as SVG."""
        name = self._name("png" if any(axes.images for axes in figure.axes) else "svg")
        figure.savefig(self._folder / name, bbox_inches="tight", dpi=110)
        text = html.escape(caption)
        self._parts.append(f'<figure><img src="{name}" alt="{text}"><figcaption>{text}</figcaption></figure>')

    def sounds(self, sounds: dict[str, NDArray[np.float32]], rate: int = SAMPLE_RATE) -> None:
        """Add audio players side by side: name -> float32 [n]."""
        players = []
        for caption, pcm in sounds.items():
            name = self._name("wav")
            with wave.open(str(self._folder / name), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(rate)
                file.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())
            players.append(
                f'<figure><figcaption>{html.escape(caption)}</figcaption><audio controls src="{name}"></audio></figure>'
            )
        self._parts.append(f'<div class="grid">{"".join(players)}</div>')

    def picture(self, image: NDArray[np.uint8], caption: str) -> None:
        """Add a picture, uint8 [H, W, 3] BGR."""
        name = self._name("png")
        cv2.imwrite(str(self._folder / name), image)
        text = html.escape(caption)
        self._parts.append(f'<figure><img src="{name}" alt="{text}"><figcaption>{text}</figcaption></figure>')

    def film(self, name: str, caption: str) -> None:
        """Add a film that lies in the page's folder."""
        text = html.escape(caption)
        self._parts.append(
            f'<figure><video controls src="{html.escape(name)}"></video><figcaption>{text}</figcaption></figure>'
        )

    def write(self) -> Path:
        """Write the page; returns its path."""
        path = self._folder / "index.html"
        title = html.escape(self._title)
        path.write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
            f"<h1>{title}</h1>{''.join(self._parts)}</html>\n",
            encoding="utf-8",
        )
        return path

    def _name(self, suffix: str) -> str:
        self._count += 1
        return f"{self._count:03d}.{suffix}"


def _format_span(interval: list[float]) -> str:
    return f"{_format_value(interval[0])} to {_format_value(interval[1])}"


def _format_value(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(_format_value(each) for each in value)
    return str(value)


def bars(groups: dict[str, dict[str, float | None]]) -> Figure:
    """Grouped bars: group -> name -> value."""
    figure = Figure(figsize=(8, 3))
    axes = figure.subplots()
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        values = [group.get(name) for group in groups.values()]
        places = np.arange(len(groups)) + (i - (len(names) - 1) / 2) * width
        axes.bar(places, [np.nan if value is None else value for value in values], width, label=name)
    axes.set_xticks(np.arange(len(groups)), list(groups))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def draw_spectrogram(axes: Axes, x: NDArray[np.float32], rate: int = SAMPLE_RATE) -> None:
    """Draw a mel spectrogram from -90 to 0 dB."""
    hop = int(rate * HOP_S)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(x, (WINDOW // 2, WINDOW)), WINDOW)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) * 4 / WINDOW
    mel = 20 * np.log10(power @ mel_bank(WINDOW, BANDS, rate).numpy().T + 1e-5)
    extent = (0.0, x.size / rate, 0.0, float(BANDS))
    axes.imshow(mel.T, origin="lower", aspect="auto", vmin=-90, vmax=0, cmap="magma", extent=extent)
    axes.set_yticks([])


def compare(reference: NDArray[np.float32], music: NDArray[np.float32], onsets: NDArray[np.float64]) -> Figure:
    """The reference above the music that was made, with the score's onsets and the onset strength of each."""
    figure = Figure(figsize=(9, 4.2))
    rows = figure.subplots(2, 1, sharex=True)
    for axes, name, sound in zip(rows, ("played", "made"), (reference, music), strict=True):
        draw_spectrogram(axes, sound)
        strength = flux(sound)
        axes.plot(np.arange(strength.size) * HOP_S, 20 * strength, color="white", linewidth=0.6)
        for onset in onsets:
            axes.axvline(onset, color="#50d0ff", linewidth=0.6)
        axes.set_ylabel(name)
    rows[1].set_xlabel("seconds; lines: the notes of the score; white: onset strength")
    return figure

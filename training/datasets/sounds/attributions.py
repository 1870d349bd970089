"""What a bundle's manifest says of the material that a network was trained on: what, licence, attribution."""

from __future__ import annotations

from pathlib import Path

from training.datasets.sounds.recorded_sounds import recording_files
from training.synthesis.composition.scores import drum_files, piano_files
from training.synthesis.sampled.soundfont import DEFAULT_SOUNDFONT

SAMPLES_OF_SMS_TOOLS = "sms-tools sounds (Music Technology Group, Universitat Pompeu Fabra; freesound.org pack 13038)"
RECORDINGS: dict[str, tuple[str, str]] = {
    "librosa_hungarian_dance5_strings.ogg": ("public domain", "Brahms, Hungarian Dance 5; Musopen, US Army Strings"),
    "librosa_inspectorj_robin.ogg": ("CC BY 3.0", "InspectorJ, freesound.org 456440"),
    "librosa_macleod_sugar_plum.ogg": ("CC BY 3.0", "Kevin MacLeod, Dance of the Sugar Plum Fairy"),
    "librosa_nps_humpback.ogg": ("public domain", "US National Park Service"),
    "librosa_sorohanro_trumpet.ogg": ("CC BY 3.0", "Mihai Sorohan, freesound.org 77711"),
    "sms_": ("CC BY 4.0", SAMPLES_OF_SMS_TOOLS),
    "sonicpi_": ("CC0", "samples of Sonic Pi"),
}
"""Name of a recording, or what its name begins with -> its licence, and whom to name."""


def trained_on(soundfont: Path | None, corpus: Path | None, *, recordings: bool = True) -> list[dict[str, str]]:
    """The material of a training, for a manifest: each with `what`, `licence` and `attribution`.

    Args:
        soundfont: the soundfont that music was played with; None for none.
        corpus: the folder of scores and recordings; None for none.
        recordings: whether the recordings were used too.
    """
    found = []
    if soundfont is not None:
        fluid = soundfont.name == DEFAULT_SOUNDFONT.name
        licence, author = ("MIT", "FluidR3 GM, Frank Wen") if fluid else ("unknown", soundfont.name)
        found.append({"what": "soundfont", "licence": licence, "attribution": author})
        if corpus is not None and drum_files(corpus):
            author = "Groove MIDI Dataset 1.0.0; Gillick, Roberts, Engel, Eck, Bamman (ICML 2019), Google"
            found.append({"what": "drum scores", "licence": "CC BY 4.0", "attribution": author})
        if corpus is not None and piano_files(corpus):
            author = "GiantMIDI-Piano; Kong, Li, Chen, Wang (2020), ByteDance"
            found.append({"what": "piano scores", "licence": "CC BY 4.0", "attribution": author})
    names = {path.name for path in recording_files(corpus)} if corpus is not None and recordings else set()
    for beginning, (licence, author) in RECORDINGS.items():
        if any(name.startswith(beginning) for name in names):
            found.append({"what": "recordings", "licence": licence, "attribution": author})
    if any(not name.startswith(tuple(RECORDINGS)) for name in names):
        found.append({"what": "recordings", "licence": "unknown", "attribution": "unknown"})
    return found

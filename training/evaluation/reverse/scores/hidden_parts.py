"""Does the painter mend what comes into view? Held-out mobiles, against the moved still that nobody painted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.registry import has_network, open_engine
from streaming.conventions import STILL_SIDE, TICK_SAMPLES
from streaming.painting.pose_tracker import PoseTracker
from streaming.vision.frame_features import VIEW_SIDE, fit_square
from training.datasets.animator import record_mobile
from training.datasets.painter import paint_mobile
from training.evaluation.reverse.measures.looks import gradient_errors, structural_similarity
from training.evaluation.reverse.scores.figures import Figures, mean_figures

IMAGINATION = 0.25
"""Imagination at which the painter is scored; a show's default is 0, until it has been trained on layers."""


def score_hidden_parts(bundle: str, seeds: Sequence[int]) -> Figures:
    """Structural similarity and gradient error where hidden parts come into view: `painted_`, and `moved_` without.

    Args:
        bundle: name or folder.
        seeds: of mobiles that were never trained on.

    Returns:
        The figures; none where the bundle has no painter.
    """
    if not has_network("painter", bundle):
        return {}
    values: dict[str, list[float]] = {}
    for seed in seeds:
        for name, value in _score_mobile(seed, bundle).items():
            values.setdefault(name, []).append(value)
    return mean_figures(values) | {"n_clips": len(seeds)}


def _score_mobile(seed: int, bundle: str) -> dict[str, float]:
    """The painter on a mobile's ticks where hidden parts come into view; empty where none do."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mobile.npz"
        np.savez(path, allow_pickle=False, **record_mobile(seed))
        rows = paint_mobile(path, seed)
        with np.load(path) as file:
            sound = file["sound"].astype(np.float32) / 32767.0
    painter = open_engine("painter", bundle=bundle)
    embedding, latents = _embedding_of(rows["prior"][0], bundle), _audio_latents(sound, bundle)
    pose_inputs: list[dict[str, Any]] = [{} for _ in latents]
    if painter.spec.config.get("points", 0):
        tracker = PoseTracker(open_engine("pose", bundle=bundle))
        pose_inputs = [{"said": tracker.update(tick, latent, embedding)} for tick, latent in enumerate(latents)]
    noise = np.random.default_rng(seed).standard_normal((3, STILL_SIDE, STILL_SIDE), np.float32)
    sums: dict[str, list[float]] = {}
    for row in range(len(rows["warped"])):
        hidden = rows["hidden"][row]
        if hidden.sum() < 20:
            continue
        tick = int(rows["tick"][row])
        change = painter.step(
            warped=rows["warped"][row],
            prior=rows["prior"][row],
            where=rows["where"][row],
            flow=rows["flow"][row],
            heard=latents[tick],
            imagination=IMAGINATION,
            chance=1.0,
            seen=embedding,
            noise=noise,
            **pose_inputs[tick],
        )["change"]
        painted_picture = np.clip(rows["warped"][row] + change, 0, 255).astype(np.uint8)
        wanted = rows["wanted"][row]
        for name, picture in (("painted", painted_picture), ("moved", rows["warped"][row])):
            sums.setdefault(f"{name}_ssim", []).append(float(structural_similarity(picture, wanted)[hidden].mean()))
            sums.setdefault(f"{name}_gradient_error", []).append(float(gradient_errors(picture, wanted)[hidden].mean()))
    return {name: float(np.mean(values)) for name, values in sums.items()}


def _embedding_of(still: NDArray[np.uint8], bundle: str) -> NDArray[np.float32]:
    eyes = open_engine("embedding", bundle=bundle)
    return np.asarray(eyes.step(image=fit_square(still, VIEW_SIDE))["embedding"], np.float32)


def _audio_latents(sound: NDArray[np.float32], bundle: str) -> list[NDArray[np.float32]]:
    encoder, hearing = open_engine("encoder", bundle=bundle), open_engine("hearing", bundle=bundle)
    parts = sound[: sound.size // TICK_SAMPLES * TICK_SAMPLES].reshape(-1, TICK_SAMPLES)
    return [np.asarray(hearing.step(frames=encoder.step(pcm=pcm)["frames"])["latent"]) for pcm in parts]

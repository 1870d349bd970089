"""Draws the translator's batches: stretches of performances by their latents, and of music by its gestures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.translation.latent import Motions
from models.translation.translator import TranslatorInputs
from streaming.conventions import TICKS_PER_SECOND
from training.datasets.gestures.drawn_gestures import draw_gestures
from training.datasets.gestures.scored_music import ScoredMusic
from training.datasets.translator import VOICES, Examples, to_network_dtype
from training.datasets.translator_rollouts import ClipSpans, History, SamplingShares
from training.synthesis.camera_augmentation import unsure, vary

CAMERAS = 3
"""Camera variants of each clip."""
AHEAD = 3
"""Anticipation is drawn from 0..AHEAD ticks of 40 ms."""
UNKNOWN_VOICE = "drums"
"""The voice of a gesture that names none: percussion."""


@dataclass(frozen=True)
class TranslatorRecipe:
    """How the translator is trained.

    Attributes:
        steps: optimizer steps in all.
        clips: recorded performances.
        batch: clips per step.
        length: ticks per clip, more than two windows.
        learning_rate: of AdamW; it rises for 200 steps, then falls linearly.
        own_from: first step at which the model plays clips by itself.
        own_every: steps between two such rounds.
        own_clips: clips per round.
        shares: see `SamplingShares`.
    """

    steps: int = 7_500
    clips: int = 1_600
    batch: int = 16
    length: int = 128
    learning_rate: float = 1e-3
    own_from: int = 1_000
    own_every: int = 500
    own_clips: int = 400
    shares: SamplingShares = field(default_factory=SamplingShares)

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return self.learning_rate * min(1.0, (step + 1) / 200) * max(0.03, 1.0 - step / self.steps)


class TranslatorBatch(NamedTuple):
    """A training batch: the model's inputs and its targets.

    previous [B, L, K, 2]; known [B, L]; video; codes [B, L, K, 2]: the targets; mask bool [B, L]: ticks that are
    learned.
    """

    previous: Tensor
    known: Tensor
    video: TranslatorInputs
    codes: Tensor
    mask: Tensor


def draw_ahead(rng: np.random.Generator, count: int) -> Tensor:
    """Random anticipations in ticks, int64 [count]; 0 is the most frequent."""
    return torch.from_numpy(rng.choice([0, 0, 0, 1, 2, AHEAD], count))


def draw_spans(data: Examples, rng: np.random.Generator, recipe: TranslatorRecipe) -> tuple[ClipSpans, Tensor]:
    """Random stretches of clips, each in one of its voices, with an anticipation in ticks [B]."""
    count, total = data.age.shape
    clip = torch.from_numpy(rng.integers(0, count, recipe.batch))
    ahead = draw_ahead(rng, recipe.batch)
    start = torch.from_numpy(rng.integers(0, total - recipe.length - AHEAD, recipe.batch))
    # The start of a show, with nothing known, is one tick of many: without this it is hardly learned.
    start[torch.from_numpy(rng.random(recipe.batch) < 0.1)] = 0
    take = torch.from_numpy(
        np.where(rng.random(recipe.batch) < recipe.shares.other, rng.integers(1, 3, recipe.batch), 0)
    )
    take[data.voice[clip, take] == 0] = 0
    ticks = start[:, None] + torch.arange(recipe.length)
    return ClipSpans(clip, take, ticks, ticks + ahead[:, None]), ahead


@torch.no_grad()
def encode_views(sight: nn.Module, data: Examples, count: int = CAMERAS, seed: int = 0, chunk: int = 16) -> Tensor:
    """Video latents of each clip for several camera variants: float16 [N, count, T, sight_dim].

    They are computed once: the network that encodes them is frozen, and took a fifth of each step.
    """
    where = next(sight.parameters()).device
    rows = []
    for first in tqdm(range(0, len(data.age), chunk), desc="seen", mininterval=5, disable=len(data.age) < 100):
        part = slice(first, first + chunk)
        takes = []
        for camera in range(count):
            rng = np.random.default_rng([seed, first, camera])
            flow, speed = vary(data.flow[part].float(), data.speed[part].float(), rng)
            video = Motions(flow, speed, unsure(data.embedding[part], rng), data.age[part])
            takes.append(sight(Motions(*(x.to(where) for x in video))).cpu().half())
        rows.append(torch.stack(takes, 1))
    return torch.cat(rows)


@dataclass(frozen=True)
class TranslatorMaterial:
    """What a translator learns from.

    Attributes:
        data: performances.
        view_latents: their video latents, see `encode_views`.
        history: the pasts of the performances.
        music: music with gestures; None for none.
        music_history: its pasts.
        gesture_dim: numbers of a gesture; 0 for a network without them.
    """

    data: Examples
    view_latents: Tensor
    history: History
    music: ScoredMusic | None = None
    music_history: History | None = None
    gesture_dim: int = 0


def draw_music_batch(
    material: TranslatorMaterial, rng: np.random.Generator, recipe: TranslatorRecipe, count: int
) -> TranslatorBatch:
    """Random stretches of music, each with the gestures of a camera that might have seen it, and a past."""
    music, history = material.music, material.music_history
    assert music is not None
    assert history is not None
    rows = torch.from_numpy(rng.integers(0, len(music.seed), count))
    total = music.level_db.shape[1]
    start = torch.from_numpy(rng.integers(0, total - recipe.length, count))
    start[torch.from_numpy(rng.random(count) < 0.1)] = 0
    ticks = start[:, None] + torch.arange(recipe.length)
    previous, known = history.draw(rng, ClipSpans(rows, torch.zeros_like(rows), ticks, ticks))
    gestures = draw_gestures(music, rows, rng)[torch.arange(count)[:, None], ticks]
    shares = recipe.shares
    percussion = music.voice[rows] == 1 + VOICES.index(UNKNOWN_VOICE)
    named = torch.from_numpy(rng.random(count) < shares.named) | ~percussion
    voice = torch.where(named, music.voice[rows], 0)
    eyes = torch.from_numpy((rng.random((count, 1)) >= shares.blind).astype(np.float32))
    struck = (music.strikes[rows[:, None], ticks] > 0).any(2)
    shape = (count, recipe.length)
    video = TranslatorInputs(
        torch.zeros(*shape, material.view_latents.shape[-1]),
        torch.from_numpy(rng.uniform(0.0, 0.05, shape).astype(np.float32)),
        ticks / TICKS_PER_SECOND + torch.from_numpy(rng.uniform(0, 3600, (count, 1))),
        (draw_ahead(rng, count)[:, None] / TICKS_PER_SECOND).expand(shape).float(),
        voice[:, None].expand(shape),
        eyes.expand(shape),
        gestures,
    )
    learned = torch.from_numpy(rng.random(shape)) < torch.where(struck, shares.attack, shares.depth)
    return TranslatorBatch(previous, known, video, to_network_dtype(music.codes[rows[:, None], ticks]), learned)


def draw_any_batch(material: TranslatorMaterial, rng: np.random.Generator, recipe: TranslatorRecipe) -> TranslatorBatch:
    """Rows of performances and, where there is music, rows of music."""
    count = round(recipe.batch * recipe.shares.music) if material.music is not None and material.gesture_dim else 0
    seen = draw_batch(material, rng, replace(recipe, batch=recipe.batch - count))
    if not count:
        return seen
    heard = draw_music_batch(material, rng, recipe, count)
    video = TranslatorInputs(
        *(torch.cat([getattr(seen.video, name), getattr(heard.video, name)]) for name in TranslatorInputs._fields)
    )
    parts = [torch.cat([getattr(seen, name), getattr(heard, name)]) for name in ("previous", "known", "codes", "mask")]
    return TranslatorBatch(parts[0], parts[1], video, parts[2], parts[3])


def draw_batch(material: TranslatorMaterial, rng: np.random.Generator, recipe: TranslatorRecipe) -> TranslatorBatch:
    """Random stretches, each with a camera variant (see `encode_views`), a voice, an anticipation and a past."""
    data, view_latents = material.data, material.view_latents
    spans, ahead = draw_spans(data, rng, recipe)
    camera = torch.from_numpy(rng.integers(0, view_latents.shape[1], recipe.batch))
    previous, known = material.history.draw(rng, spans)
    batch, length = spans.video.shape
    shares = recipe.shares
    hour = torch.from_numpy(rng.uniform(0, 3600, (batch, 1)))
    by_name = torch.from_numpy(rng.random(batch) < shares.by_name) | (spans.take > 0)
    voice = torch.where(by_name, data.voice[spans.clip, spans.take], 0)
    eyes = torch.from_numpy((rng.random((batch, 1)) >= shares.blind).astype(np.float32))
    attack = data.attack[spans.clip[:, None], spans.audio_ticks].any(2)
    share = torch.where(attack, shares.attack, shares.depth)
    video = TranslatorInputs(
        view_latents[spans.clip[:, None], camera[:, None], spans.video].float(),
        data.age[spans.clip[:, None], spans.video],
        spans.video / TICKS_PER_SECOND + hour,
        (ahead[:, None] / TICKS_PER_SECOND).expand(batch, length).float(),
        voice[:, None].expand(batch, length),
        eyes.expand(batch, length),
        torch.zeros(batch, length, material.gesture_dim),
    )
    codes = data.codes[spans.clip[:, None], spans.take[:, None], spans.audio_ticks]
    return TranslatorBatch(
        previous, known, video, to_network_dtype(codes), torch.from_numpy(rng.random((batch, length))) < share
    )

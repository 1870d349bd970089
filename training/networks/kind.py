"""Trains the reader of a player's kind, and measures how far from known pictures a picture may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.vision.kind_reader import KindReader, KindReaderConfig
from training.datasets.codec import SoundSources
from training.datasets.translator import Examples, load_examples
from training.loop.checkpoint import MovingAverage, save_checkpoint
from training.synthesis.conventions import CLIP_KINDS
from training.trainer_spec import CORPUS, SOUNDFONT, Trainer, TrainingJob, TrainingResult

KNOWN_SHARE = 0.98
"""Share of held-out pictures of known players that lie within the limit."""
CLIPS = 400
STEPS, BATCH, LEARNING_RATE = 1_500, 256, 1e-3
HELD_PART = 5
"""One clip in this many is held out: for the limit, and for the figures."""
EVERY = 4
"""One tick in this many is used: neighbours look the same."""


def pictures_of(data: Examples) -> tuple[Tensor, Tensor]:
    """Embeddings float32 [N, dim] and kinds int64 [N] of the pictures of clips."""
    embeddings = data.embedding[:, ::EVERY].float()
    kinds = (data.voice[:, 0] - 1)[:, None].expand(embeddings.shape[:2])
    return embeddings.flatten(0, 1), kinds.flatten()


def train_kind_reader(data: Examples, steps: int = STEPS) -> tuple[KindReader, dict[str, float]]:
    """Train a reader.

    Args:
        data: clips of all kinds.
        steps: of the optimizer.

    Returns:
        The reader; and the share of held-out pictures whose kind it names, and that it takes for known.
    """
    torch.manual_seed(0)
    clips = len(data.age)
    held = max(1, clips // HELD_PART)
    embeddings, kinds = pictures_of(data.rows(slice(None, -held)))
    test, test_kinds = pictures_of(data.rows(slice(-held, None)))
    model = KindReader(KindReaderConfig(dim=embeddings.shape[1], kind_names=CLIP_KINDS, odds=len(CLIP_KINDS) + 1))
    model.familiar(embeddings)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.1)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(0, len(kinds), BATCH))
        noisy = embeddings[rows] + 0.02 * torch.randn(BATCH, embeddings.shape[1])
        logits = model.layers((noisy - model.mean) @ model.whiten.T)
        loss = F.cross_entropy(logits, kinds[rows], label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        model.limit.fill_(float(torch.quantile(model.distance(test), KNOWN_SHARE)))
        odds = model.eval()(test)
    right = float((odds[:, :-1].argmax(1) == test_kinds).float().mean())
    return model, {
        "kind_right": round(right, 4),
        "taken_for_known": round(float((odds[:, -1] < 0.5).float().mean()), 4),
    }


def _save(model: nn.Module, work: Path) -> Path:
    path = work / "kind.safetensors"
    work.mkdir(parents=True, exist_ok=True)
    average = MovingAverage(model, 0.0)
    save_checkpoint(path, STEPS, model, average, torch.optim.AdamW(model.parameters()))
    return path


def _train(job: TrainingJob) -> TrainingResult:
    sources = SoundSources(job.options.soundfont, job.options.corpus)
    data = load_examples(job.work / "translator", job.clips or CLIPS, job.bundle, sources=sources)
    model, figures = train_kind_reader(data, job.steps or STEPS)
    notes: dict[str, Any] = {"held_out": figures}
    return TrainingResult(_save(model, job.work / "kind"), notes)


TRAINER = Trainer(_train, options=(SOUNDFONT, CORPUS))

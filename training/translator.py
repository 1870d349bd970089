"""Trains the translator on performances: codes from what is seen, with a history that cannot drown the video."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from models.codec import Codec
from models.translator import Seen, Translator, TranslatorConfig
from streaming.clock import now_ns
from streaming.messages import TICKS_PER_SECOND
from training.augment import vary
from training.bundling import load_network
from training.checkpoint import Average, load_checkpoint, save_checkpoint
from training.examples import MEL_BANDS, Examples, load_examples
from training.rollout import play

BATCH = 16
LENGTH = 128
"""Ticks of a training sequence: more than two windows."""
DEPTH_SHARE, ATTACK_SHARE = 0.2, 0.5
"""Share of the ticks whose codes are learned in one step, and of those in which an onset is heard: the depth
transformer costs more than the backbone, and what is rare is what is listened for."""
AHEAD = 3
"""Anticipation is drawn from 0..AHEAD ticks of 40 ms."""
ATTACK_WEIGHT = 4.0
OWN_FROM, OWN_EVERY, OWN_CLIPS = 1000, 500, 400
"""From which step on, how often and how many clips the model plays to itself for its history."""
NAMES = ("codes", "loudness", "attack")
"""The losses."""


@dataclass(frozen=True)
class Shares:
    """How often which past is shown.

    Attributes:
        hidden, spells, own: of the rows: never shown, shown in spells, the model's own (once it has played).
        wrong: of the ticks: another clip's.
    """

    hidden: float = 0.3
    spells: float = 0.15
    own: float = 0.4
    wrong: float = 0.08


class History:
    """The past that the model is shown: the true one, its own, or none, so that it cannot drown what is seen.

    Args:
        data: the training clips.
        shares: how often which past is shown.
    """

    def __init__(self, data: Examples, shares: Shares | None = None) -> None:
        self._data, self._shares = data, shares or Shares()
        self._played = torch.zeros_like(data.codes)
        self._since = torch.full((data.codes.shape[0],), -1)

    def play(self, model: Translator, rng: np.random.Generator, clips: int) -> None:
        """Let the model play some clips anew."""
        rows = torch.from_numpy(rng.choice(len(self._since), min(clips, len(self._since)), replace=False))
        ahead = _draw_ahead(rng, rows.numel())
        played = play(model, self._data, rows, ahead, rng)
        for row, delay, codes in zip(rows, ahead.tolist(), played, strict=True):
            self._played[row, delay:] = codes[: len(codes) - delay]
        self._since[rows] = ahead

    def draw(self, rng: np.random.Generator, rows: Tensor, ticks: Tensor) -> tuple[Tensor, Tensor]:
        """The codes of the ticks before `ticks` [B, L] of sound, [B, L, K, 2], and where they are known [B, L]."""
        batch, length = ticks.shape
        before = (rows[:, None], (ticks - 1).clamp_min(0))
        previous = self._data.codes[before].long()
        known = (ticks > 0).float()
        shares, chance = self._shares, rng.random(batch)
        for row in range(batch):
            since = int(self._since[rows[row]])
            if chance[row] < shares.hidden:
                known[row] = 0
            elif chance[row] < shares.hidden + shares.spells:
                spell = np.repeat(rng.random(length // 8 + 1) < 0.5, 8)[:length]
                known[row, torch.from_numpy(spell)] = 0
            elif chance[row] < shares.hidden + shares.spells + shares.own and since >= 0:
                previous[row] = self._played[before[0][row], before[1][row]].long()
                known[row, ticks[row] <= since] = 0
        wrong = torch.from_numpy(rng.random((batch, length)) < shares.wrong)
        donor = torch.from_numpy(rng.integers(0, len(self._since), int(wrong.sum())))
        total = self._data.codes.shape[1]
        previous[wrong] = self._data.codes[donor, torch.from_numpy(rng.integers(0, total, donor.numel()))].long()
        return previous, known


def _draw_ahead(rng: np.random.Generator, count: int) -> Tensor:
    return torch.from_numpy(rng.choice([0, 0, 0, 1, 2, AHEAD], count))


class Batch(NamedTuple):
    """A training batch: what the model is given and what it shall say; shapes as in `Examples`."""

    previous: Tensor
    known: Tensor
    seen: Seen
    codes: Tensor
    mel: Tensor
    attack: Tensor


def draw_batch(data: Examples, history: History, rng: np.random.Generator) -> Batch:
    """Draw stretches of clips, each with an anticipation and a kind of past."""
    count, total = data.age.shape
    rows = torch.from_numpy(rng.integers(0, count, BATCH))
    ahead = _draw_ahead(rng, BATCH)
    start = torch.from_numpy(rng.integers(0, total - LENGTH - AHEAD, BATCH))
    # The start of a show, with nothing known, is one tick of many: without this it is hardly learned.
    start[torch.from_numpy(rng.random(BATCH) < 0.1)] = 0
    ticks = start[:, None] + torch.arange(LENGTH)
    at = (rows[:, None], ticks)
    sounding = (rows[:, None], ticks + ahead[:, None])
    previous, known = history.draw(rng, rows, sounding[1])
    hour = torch.from_numpy(rng.uniform(0, 3600, (BATCH, 1)))
    noise = torch.from_numpy(rng.normal(0, 0.04, (BATCH, LENGTH, data.embedding.shape[-1])).astype(np.float32))
    flow, speed = vary(data.flow[at].float(), data.speed[at].float(), rng)
    seen = Seen(
        flow,
        speed,
        data.embedding[at].float() + noise,
        data.age[at],
        ticks / TICKS_PER_SECOND + hour,
        (ahead[:, None] / TICKS_PER_SECOND).expand(BATCH, LENGTH).float(),
    )
    return Batch(
        previous, known, seen, data.codes[sounding].long(), data.mel[sounding].float(), data.attack[sounding].float()
    )


def losses(model: Translator, batch: Batch, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """What is minimized.

    Returns:
        Cross-entropy of a share of the ticks' codes, in nats per code; the loudness head's error, in decades; the
        attack head's cross-entropy, in nats per token frame, onsets counting `ATTACK_WEIGHT` times.
    """
    context = model(batch.previous, batch.known, batch.seen)
    loudness = (model.loudness(context) - batch.mel).abs().mean()
    attack = F.binary_cross_entropy_with_logits(
        model.attack(context), batch.attack, pos_weight=torch.tensor(ATTACK_WEIGHT)
    )
    share = torch.where(batch.attack.any(2), ATTACK_SHARE, DEPTH_SHARE)
    chosen = torch.from_numpy(rng.random(batch.known.shape)) < share
    wanted = model.emission_order(batch.codes[chosen])
    logits = model.depth(context[chosen], wanted, model.codebooks)
    return F.cross_entropy(logits.flatten(0, 1), wanted.flatten()), loudness, attack


@torch.no_grad()
def _test(model: Translator, data: Examples, history: History) -> dict[str, float]:
    """The losses on held-out clips, always on the same stretches."""
    rng = np.random.default_rng(1)
    model.eval()
    values = [[float(part) for part in losses(model, draw_batch(data, history, rng), rng)] for _ in range(6)]
    model.train()
    return dict(zip(NAMES, np.mean(values, 0).round(4).tolist(), strict=True))


def train_translator(
    work: Path,
    bundle: Path,
    *,
    steps: int,
    clips: int,
    minutes: float,
    learning_rate: float,
    start: nn.Module | None = None,
) -> Path:
    """Train or go on training with the bundle's codec and visual network; returns the checkpoint."""
    codec = load_network(bundle, "codec")
    if not isinstance(codec, Codec):
        raise TypeError("the bundle's codec is of another class")
    torch.manual_seed(0)
    model = Translator(TranslatorConfig(mel_bands=MEL_BANDS))
    model.codebooks.copy_(codec.quantizer.codebooks / codec.quantizer.codebooks[0].std())
    data = load_examples(work, clips, bundle)
    held = max(10, clips // 50)
    train, test = data.rows(slice(None, -held)), data.rows(slice(-held, None))
    history, test_history = History(train), History(test)
    if start is not None:
        model.load_state_dict(start.state_dict())
    average = Average(model, 0.998)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.03)
    path = work / "translator.safetensors"
    first = load_checkpoint(path, model, average, optimizer) if path.exists() else 0
    rng = np.random.default_rng([first, 9])
    deadline = now_ns() + int(minutes * 60e9)
    sums = np.zeros(3)
    step = first
    with (
        tqdm(total=steps, initial=first, desc="translator", mininterval=5) as bar,
        (work / "translator.jsonl").open("a") as log,
    ):
        for step in range(first, steps):
            # A resumed run has no played history: it plays first.
            if step >= OWN_FROM and (step % OWN_EVERY == 0 or step == first):
                history.play(model, rng, OWN_CLIPS)
            parts = losses(model, draw_batch(train, history, rng), rng)
            optimizer.zero_grad(set_to_none=True)
            (parts[0] + 2.0 * parts[1] + 0.5 * parts[2]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * min(1.0, (step + 1) / 200) * max(0.03, 1.0 - step / steps)
            optimizer.step()
            average.update(model)
            sums += [float(part.detach()) for part in parts]
            bar.update()
            if (step + 1) % 50 == 0:
                row = {"step": step + 1} | dict(zip(NAMES, (sums / 50).round(4).tolist(), strict=True))
                if (step + 1) % 250 == 0:
                    row |= {f"test_{name}": v for name, v in _test(model, test, test_history).items()}
                log.write(json.dumps(row) + "\n")
                log.flush()
                bar.set_postfix(row)
                sums[:] = 0
            if (step + 1) % 250 == 0:
                save_checkpoint(path, step + 1, model, average, optimizer)
            if now_ns() > deadline:
                break
    save_checkpoint(path, step + 1, model, average, optimizer)
    return path

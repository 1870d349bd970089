"""What the translator is taught with: the past it is shown, what it plays by itself, and what is asked of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.translator import Translator, TranslatorConfig
from training.examples import FRAMES, MEL_BANDS, Examples, attack_frames, mel_frames
from training.performances import TICKS
from training.rollout import play
from training.translator import AHEAD, BATCH, LENGTH, History, Shares, draw_batch, losses

CLIPS = 12


@pytest.fixture
def examples() -> Examples:
    """Clips whose codes say where they come from: codebook 0 holds the tick, codebook 1 the clip."""
    rng = np.random.default_rng(1)
    codes = torch.zeros(CLIPS, TICKS, 4, FRAMES, dtype=torch.int16)
    codes[:, :, 0] = torch.arange(TICKS, dtype=torch.int16)[None, :, None]
    codes[:, :, 1] = torch.arange(CLIPS, dtype=torch.int16)[:, None, None]
    return Examples(
        torch.from_numpy(rng.normal(0, 0.3, (CLIPS, TICKS, 2, 16, 16)).astype(np.float16)),
        torch.from_numpy(rng.random((CLIPS, TICKS, 16, 16)).astype(np.float16)),
        torch.from_numpy(rng.normal(0, 1, (CLIPS, TICKS, 128)).astype(np.float16)),
        torch.zeros(CLIPS, TICKS),
        codes,
        torch.zeros(CLIPS, TICKS, FRAMES * MEL_BANDS, dtype=torch.float16),
        torch.zeros(CLIPS, TICKS, FRAMES, dtype=torch.bool),
        torch.zeros(CLIPS, TICKS, FRAMES, dtype=torch.float16),
    )


def small() -> Translator:
    torch.manual_seed(3)
    model = Translator(TranslatorConfig(dim=32, heads=2, layers=1, depth_dim=16, depth_heads=2, depth_layers=1))
    model.codebooks.normal_()
    return model


def test_the_past_is_that_of_the_sound_asked_for(examples: Examples) -> None:
    history = History(examples, Shares(wrong=0.0))
    batch = draw_batch(examples, history, np.random.default_rng(2))
    assert batch.previous.shape == (BATCH, LENGTH, 4, FRAMES)
    ahead = (batch.seen.anticipation_s * 25).round().long()
    assert set(ahead.unique().tolist()) <= set(range(AHEAD + 1))
    start = (batch.seen.time_s[:, 0] * 25).round()
    asked = batch.codes[:, :, 0, 0]
    shown = batch.previous[:, :, 0, 0]
    there = asked > 0
    assert torch.equal(shown[there], asked[there] - 1), "the tick before"
    assert torch.equal(batch.previous[:, :, 1], batch.codes[:, :, 1]), "of the same clip"
    assert not batch.known[~there].any(), "before the first tick nothing is known"
    assert start.shape == (BATCH,)


def test_a_share_of_the_rows_is_never_shown_the_past(examples: Examples) -> None:
    history, rng = History(examples), np.random.default_rng(4)
    known = torch.cat([draw_batch(examples, history, rng).known for _ in range(40)])
    never = float((known.sum(1) == 0).float().mean())
    assert abs(never - Shares().hidden) < 0.06


def test_once_it_has_played_it_is_shown_what_it_played(examples: Examples) -> None:
    history = History(examples, Shares(hidden=0.0, spells=0.0, own=1.0, wrong=0.0))
    rng = np.random.default_rng(5)
    model = small()
    history.play(model, rng, CLIPS)
    rows, ticks = torch.arange(CLIPS), torch.arange(20, 20 + LENGTH).expand(CLIPS, LENGTH)
    previous, known = history.draw(rng, rows, ticks)
    assert known.all()
    assert not torch.equal(previous[:, :, 1, 0], rows[:, None].expand(-1, LENGTH)), "no longer the clip's own codes"


def test_a_rollout_hears_only_itself_and_is_reproducible(examples: Examples) -> None:
    model = small().train()
    rows, ahead = torch.tensor([0, 3]), torch.tensor([0, 2])
    first = play(model, examples, rows, ahead, np.random.default_rng(6))
    assert model.training, "the mode is left as it was"
    assert first.shape == (2, TICKS, 4, FRAMES)
    examples.codes.zero_()
    again = play(model, examples, rows, ahead, np.random.default_rng(6))
    assert torch.equal(first, again), "the true codes are not looked at"


def test_every_loss_teaches(examples: Examples) -> None:
    model, rng = small(), np.random.default_rng(7)
    batch = draw_batch(examples, History(examples), rng)
    for name, part in zip(("heads", "loudness", "attack"), losses(model, batch, rng), strict=True):
        model.zero_grad()
        part.backward(retain_graph=True)
        assert model.video.flat.weight.grad is not None, name
        assert float(model.video.flat.weight.grad.abs().sum()) > 0, name


def test_targets_of_the_heads() -> None:
    sound = np.zeros(TICKS * 1280, np.float32)
    at = 32_000
    sound[at : at + 3200] = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3200) / 32_000) * np.exp(-np.arange(3200) / 800)
    attack = attack_frames(sound)
    assert attack.shape == (TICKS, FRAMES)
    assert abs(int(np.flatnonzero(attack.ravel())[0]) - 50) <= 1
    mel = mel_frames(torch.from_numpy(sound), MEL_BANDS)
    assert mel.shape == (TICKS * FRAMES, MEL_BANDS)
    assert float(mel[51].max()) > float(mel[40].max()) + 1.0

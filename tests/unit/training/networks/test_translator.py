"""What the translator is taught with: the past it is shown, what it plays by itself, and what is asked of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.translation.latent import Latent, LatentConfig
from models.translation.translator import Translator, TranslatorConfig
from streaming.conventions import MOTION_FEATURES, TOKEN_FRAMES_PER_TICK
from training.datasets.translator import MEL_BANDS, Examples, attack_frames, mel_frames
from training.datasets.translator_batches import (
    AHEAD,
    TranslatorMaterial,
    TranslatorRecipe,
    draw_batch,
    draw_spans,
    encode_views,
)
from training.datasets.translator_rollouts import History, SamplingShares, Shown, play
from training.loop.run import Plan, run
from training.networks.translator import TranslatorTraining, loss_of
from training.synthesis.conventions import CLIP_TICKS

CLIPS = 12
RECIPE = TranslatorRecipe(steps=60, batch=8, length=40, own_from=4, own_every=4, own_clips=6)


@pytest.fixture
def examples() -> Examples:
    """Clips whose codes say where they come from: codebook 0 holds the tick, 1 the clip, 2 the take."""
    rng = np.random.default_rng(1)
    codes = torch.zeros(CLIPS, 3, CLIP_TICKS, 4, TOKEN_FRAMES_PER_TICK, dtype=torch.int16)
    codes[:, :, :, 0] = torch.arange(CLIP_TICKS, dtype=torch.int16)[None, None, :, None]
    codes[:, :, :, 1] = torch.arange(CLIPS, dtype=torch.int16)[:, None, None, None]
    codes[:, :, :, 2] = torch.arange(3, dtype=torch.int16)[None, :, None, None]
    voice = torch.tensor([[2, 3, 4], [1, 0, 0]]).repeat(CLIPS // 2, 1)
    return Examples(
        torch.from_numpy(rng.normal(0, 0.3, (CLIPS, CLIP_TICKS, 2, 16, 16)).astype(np.float16)),
        torch.from_numpy(rng.random((CLIPS, CLIP_TICKS, 16, 16)).astype(np.float16)),
        torch.from_numpy(rng.normal(0, 1, (CLIPS, CLIP_TICKS, 128)).astype(np.float16)),
        torch.zeros(CLIPS, CLIP_TICKS),
        codes,
        voice,
        torch.zeros(CLIPS, CLIP_TICKS, TOKEN_FRAMES_PER_TICK * MEL_BANDS, dtype=torch.float16),
        torch.zeros(CLIPS, CLIP_TICKS, TOKEN_FRAMES_PER_TICK, dtype=torch.bool),
        torch.zeros(CLIPS, CLIP_TICKS, TOKEN_FRAMES_PER_TICK, dtype=torch.float16),
        torch.zeros(CLIPS, CLIP_TICKS, MOTION_FEATURES, dtype=torch.float16),
    )


def small() -> Translator:
    torch.manual_seed(3)
    sizes = {"dim": 32, "heads": 2, "layers": 1, "depth_dim": 16, "depth_heads": 2, "depth_layers": 1, "sight_dim": 16}
    model = Translator(TranslatorConfig(**sizes))  # type: ignore[arg-type]
    model.codebooks.normal_()
    return model


@pytest.fixture
def sight() -> torch.nn.Module:
    torch.manual_seed(4)
    return Latent(LatentConfig(dim=16, hidden=16, dilations=(1,))).video.eval()


def test_the_past_is_that_of_the_sound_asked_for(examples: Examples, sight: torch.nn.Module) -> None:
    history = History(examples.codes, SamplingShares(wrong=0.0))
    batch = draw_batch(
        TranslatorMaterial(examples, encode_views(sight, examples), history), np.random.default_rng(2), RECIPE
    )
    assert batch.previous.shape == (8, 40, 4, TOKEN_FRAMES_PER_TICK)
    ahead = (batch.video.anticipation_s * 25).round().long()
    assert set(ahead.unique().tolist()) <= set(range(AHEAD + 1))
    asked = batch.codes[:, :, 0, 0]
    there = asked > 0
    assert torch.equal(batch.previous[:, :, 0, 0][there], asked[there] - 1), "the tick before"
    assert torch.equal(batch.previous[:, :, 1], batch.codes[:, :, 1]), "of the same clip"
    assert torch.equal(batch.previous[:, :, 2], batch.codes[:, :, 2]), "by the same voice"
    assert not batch.known[~there].any(), "before the first tick nothing is known"


def test_another_voice_is_always_asked_for_by_name(examples: Examples, sight: torch.nn.Module) -> None:
    history, rng, seen = History(examples.codes, SamplingShares()), np.random.default_rng(3), set()
    for _ in range(12):
        batch = draw_batch(TranslatorMaterial(examples, encode_views(sight, examples), history), rng, RECIPE)
        for row in range(8):
            clip, take = int(batch.codes[row, 0, 1, 0]), int(batch.codes[row, 0, 2, 0])
            voice = int(batch.video.voice[row, 0])
            assert voice in ((0, int(examples.voice[clip, 0])) if take == 0 else (int(examples.voice[clip, take]),))
            assert take == 0 or clip % 2 == 0, "a drum cannot play a melody"
            seen.add((take, voice > 0))
    assert seen >= {(0, False), (0, True), (1, True), (2, True)}


def test_a_share_of_the_rows_is_never_shown_the_past_and_a_share_is_blind(
    examples: Examples, sight: torch.nn.Module
) -> None:
    history, rng = History(examples.codes, SamplingShares()), np.random.default_rng(4)
    seen = encode_views(sight, examples)
    batches = [draw_batch(TranslatorMaterial(examples, seen, history), rng, RECIPE) for _ in range(60)]
    never = float((torch.cat([batch.known for batch in batches]).sum(1) == 0).float().mean())
    assert abs(never - SamplingShares().hidden) < 0.07
    eyes = torch.cat([batch.video.open for batch in batches])
    assert abs(float((eyes == 0).all(1).float().mean()) - SamplingShares().blind) < 0.06
    assert ((eyes == 0).all(1) | (eyes == 1).all(1)).all(), "for the whole stretch"


def test_every_clip_is_seen_by_cameras_that_differ(examples: Examples, sight: torch.nn.Module) -> None:
    seen = encode_views(sight, examples, 2)
    assert seen.shape == (CLIPS, 2, CLIP_TICKS, 16)
    assert not seen.requires_grad
    assert not torch.equal(seen[:, 0], seen[:, 1])
    assert torch.equal(seen, encode_views(sight, examples, 2)), "a training that goes on sees the same"
    batch = draw_batch(
        TranslatorMaterial(examples, seen, History(examples.codes, SamplingShares())), np.random.default_rng(0), RECIPE
    )
    assert batch.video.latent.shape == (8, 40, 16)


def test_once_it_has_played_it_is_shown_what_it_played(examples: Examples) -> None:
    history = History(examples.codes, SamplingShares(hidden=0.0, spells=0.0, own=1.0, wrong=0.0))
    clip, take, ahead = torch.arange(CLIPS), torch.zeros(CLIPS, dtype=torch.int64), torch.full((CLIPS,), 2)
    played = torch.full((CLIPS, CLIP_TICKS, 4, TOKEN_FRAMES_PER_TICK), 9, dtype=torch.int16)
    history.remember(clip, take, ahead, played)
    ticks = torch.arange(20, 60).expand(CLIPS, 40)
    places, _ = draw_spans(examples, np.random.default_rng(5), RECIPE)
    previous, known = history.draw(np.random.default_rng(5), places._replace(clip=clip, take=take, audio_ticks=ticks))
    assert known.all()
    assert (previous == 9).all()
    early = torch.arange(0, 40).expand(CLIPS, 40)
    _, known = history.draw(np.random.default_rng(5), places._replace(clip=clip, take=take, audio_ticks=early))
    assert not known[:, :3].any(), "before it had played, nothing is known"


def test_a_rollout_hears_only_itself_and_is_reproducible() -> None:
    model = small().train()
    latents, age = torch.randn(2, 30, 16), torch.zeros(2, 30)
    voice, ahead = torch.tensor([0, 2]), torch.tensor([0, 2])
    none = torch.zeros(2, 30, 0)
    first = play(model, Shown(latents, age, none), voice, ahead, np.random.default_rng(6))
    assert model.training, "the mode is left as it was"
    assert first.shape == (2, 30, 4, TOKEN_FRAMES_PER_TICK)
    assert torch.equal(first, play(model, Shown(latents, age, none), voice, ahead, np.random.default_rng(6)))
    assert not torch.equal(first, play(model, Shown(-latents, age, none), voice, ahead, np.random.default_rng(6))), (
        "it looks"
    )


def test_the_loss_teaches_to_look(examples: Examples, sight: torch.nn.Module) -> None:
    model = small()
    batch = draw_batch(
        TranslatorMaterial(examples, encode_views(sight, examples), History(examples.codes, SamplingShares())),
        np.random.default_rng(7),
        RECIPE,
    )
    parts = loss_of(model, batch)
    assert parts.shape == (8,)
    parts.mean().backward()
    gradient = model.get_parameter("video.0.weight").grad
    assert gradient is not None
    assert float(gradient.abs().sum()) > 0


def test_an_interrupted_training_goes_on_to_the_same_loss(
    examples: Examples, sight: torch.nn.Module, tmp_path: Path
) -> None:
    def training() -> TranslatorTraining:
        return TranslatorTraining(RECIPE, small(), sight, examples)

    one = training()
    run(one, tmp_path, "translator", Plan(6, 5.0))
    assert int((one.history.since >= 0).sum()) > 0, "it has played to itself"
    straight = [one.advance() for _ in range(4)]
    two = training()
    two.load(tmp_path / "translator.safetensors")
    assert [two.advance() for _ in range(4)] == straight
    assert two.test()["codes"] > 0


def test_targets_of_the_heads() -> None:
    sound = np.zeros(CLIP_TICKS * 1280, np.float32)
    at = 32_000
    sound[at : at + 3200] = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3200) / 32_000) * np.exp(-np.arange(3200) / 800)
    attack = attack_frames(sound)
    assert attack.shape == (CLIP_TICKS, TOKEN_FRAMES_PER_TICK)
    assert abs(int(np.flatnonzero(attack.ravel())[0]) - 50) <= 1
    mel = mel_frames(torch.from_numpy(sound), MEL_BANDS)
    assert mel.shape == (CLIP_TICKS * TOKEN_FRAMES_PER_TICK, MEL_BANDS)
    assert float(mel[51].max()) > float(mel[40].max()) + 1.0


def test_it_learns_spectrograms_by_the_same_code(examples: Examples, sight: torch.nn.Module, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    mel = np.linspace(-1, 1, 12)[:, None] + rng.normal(0, 0.05, (CLIPS, 3, CLIP_TICKS, 12, TOKEN_FRAMES_PER_TICK))
    heard = replace(examples, codes=torch.from_numpy(mel.astype(np.float16)))
    torch.manual_seed(6)
    sizes = {"dim": 32, "heads": 2, "layers": 1, "depth_dim": 16, "sight_dim": 16, "mel_dim": 12}
    training = TranslatorTraining(RECIPE, Translator(TranslatorConfig(**sizes)), sight, heard)  # type: ignore[arg-type]
    losses = [training.advance()["codes"] for _ in range(40)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.05
    assert float(training.history.rollouts.float().abs().max()) > 0, "it has played to itself"
    training.save(tmp_path / "t.safetensors")
    straight = [training.advance() for _ in range(2)]
    torch.manual_seed(6)
    again = TranslatorTraining(RECIPE, Translator(TranslatorConfig(**sizes)), sight, heard)  # type: ignore[arg-type]
    again.load(tmp_path / "t.safetensors")
    assert [again.advance() for _ in range(2)] == straight

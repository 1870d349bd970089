"""Trains the translator: audio tokens from video latents or gestures, with a past that cannot drown them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.codec.codec import TokenCodec
from models.codec.mel import Vocoder
from models.translation.latent import Latent
from models.translation.translator import Translator, TranslatorConfig, TranslatorInputs
from streaming.conventions import GESTURE
from training.bundling import load_network, load_sound_network
from training.datasets.codec import SoundSources
from training.datasets.gestures.drawn_gestures import draw_gestures
from training.datasets.gestures.scored_music import ScoredMusic, load_music
from training.datasets.sounds.attributions import trained_on
from training.datasets.translator import VOICES, Examples, load_examples
from training.datasets.translator_batches import (
    TranslatorBatch,
    TranslatorMaterial,
    TranslatorRecipe,
    draw_ahead,
    draw_any_batch,
    encode_views,
)
from training.datasets.translator_rollouts import History, Shown, play
from training.datasets.user_footage import examples_of
from training.loop.checkpoint import MovingAverage, load_checkpoint, load_extra, save_checkpoint
from training.loop.device import Device
from training.loop.run import Plan, run
from training.trainer_spec import CORPUS, MUSIC, SOUNDFONT, Trainer, TrainingJob, TrainingResult, given_sizes

HELD_PART = 50
"""One clip in this many is held out for the test curves."""


def loss_of(model: Translator, batch: TranslatorBatch) -> Tensor:
    """Loss of the learned ticks in nats: per code [8] in emission order, or per band [frames]."""
    context = model(batch.previous, batch.known, batch.video)
    return model.losses(context[batch.mask], batch.codes[batch.mask])


class TranslatorTraining:
    """The training of a translator; see `training.loop.run.Training`.

    Args:
        recipe: how to train.
        model: the network.
        sight: encodes the video; it is not trained.
        data: clips.
        music: music with gestures; None for none.
        device: where to compute; None for one process.
    """

    def __init__(
        self,
        recipe: TranslatorRecipe,
        model: Translator,
        sight: nn.Module,
        data: Examples,
        device: Device | None = None,
        music: ScoredMusic | None = None,
    ) -> None:
        self.recipe = recipe
        self.device = device or Device()
        self.model = model.to(self.device.device)
        self.device.same(self.model)
        sight = sight.to(self.device.device).eval().requires_grad_(False)
        self.average = MovingAverage(self.model, 0.998)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.03)
        self._train, self._held = (self._material(*part, sight) for part in split(data, music))
        self.step = 0

    @property
    def history(self) -> History:
        """The pasts of the performances."""
        return self._train.history

    @property
    def music_history(self) -> History | None:
        """The pasts of the music."""
        return self._train.music_history

    def _material(self, data: Examples, music: ScoredMusic | None, sight: nn.Module) -> TranslatorMaterial:
        shares = self.recipe.shares
        past = None if music is None else History(music.codes[:, None], shares)
        views = encode_views(sight, data)
        return TranslatorMaterial(data, views, History(data.codes, shares), music, past, self.model.config.gesture_dim)

    def _draw(self, material: TranslatorMaterial, rng: np.random.Generator) -> TranslatorBatch:
        batch = draw_any_batch(material, rng, self.recipe)
        where = self.device.device
        video = TranslatorInputs(*(x.to(where) for x in batch.video))
        return TranslatorBatch(
            batch.previous.to(where), batch.known.to(where), video, *(x.to(where) for x in batch[3:])
        )

    def _play(self, rng: np.random.Generator) -> None:
        """Let the averaged model play some clips and some music, for `History`."""
        model = Translator(self.model.config).to(self.device.device)
        model.load_state_dict(self.average.tensors)
        count = len(self._train.data.age)
        clips = torch.from_numpy(rng.choice(count, min(self.recipe.own_clips, count), replace=False))
        for rows in clips.split(100):
            self._play_clips(model, rows, rng)
        music = self._train.music
        if music is not None and model.config.gesture_dim:
            total = len(music.seed)
            chosen = torch.from_numpy(rng.choice(total, min(self.recipe.own_clips, total), replace=False))
            for rows in chosen.split(100):
                self._play_music(model, music, rows, rng)

    def _play_clips(self, model: Translator, clip: Tensor, rng: np.random.Generator) -> None:
        where, data, dim = self.device.device, self._train.data, model.config.gesture_dim
        take = torch.from_numpy(np.where(rng.random(clip.numel()) < self.recipe.shares.other, 1, 0))
        take[data.voice[clip, take] == 0] = 0
        ahead = draw_ahead(rng, clip.numel())
        camera = torch.from_numpy(rng.integers(0, self._train.view_latents.shape[1], clip.numel()))
        latents = self._train.view_latents[clip, camera].float().to(where)
        gestures = torch.zeros(*latents.shape[:2], dim, device=where)
        voice = torch.where(take > 0, data.voice[clip, take], 0).to(where)
        shown = Shown(latents, data.age[clip].to(where), gestures)
        frames = play(model, shown, voice, ahead.to(where), rng)
        self._train.history.remember(clip, take, ahead, frames.cpu())

    def _play_music(self, model: Translator, music: ScoredMusic, rows: Tensor, rng: np.random.Generator) -> None:
        where, past = self.device.device, self._train.music_history
        assert past is not None
        gestures = draw_gestures(music, rows, rng).to(where)
        latents = torch.zeros(*gestures.shape[:2], model.config.sight_dim, device=where)
        shown = Shown(latents, torch.full(gestures.shape[:2], 0.02, device=where), gestures)
        none = torch.zeros_like(rows)
        frames = play(model, shown, music.voice[rows].to(where), none.to(where), rng)
        past.remember(rows, none, none, frames.cpu())

    def advance(self) -> dict[str, float]:
        """Make one step; returns its losses."""
        recipe = self.recipe
        rng = np.random.default_rng([self.step, 21 + self.device.rank])
        torch.manual_seed(self.step + 1_000_003 * self.device.rank)
        if self.step >= recipe.own_from and self.step % recipe.own_every == 0:
            self._play(rng)
        batch = self._draw(self._train, rng)
        self.model.train()
        with self.device.autocast():
            parts = loss_of(self.model, batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.device.backward(parts.mean(), self.model.parameters())
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate_at(self.step)
        self.optimizer.step()
        self.average.update(self.model)
        self.step += 1
        return _figures(parts)

    @torch.no_grad()
    def test(self) -> dict[str, float]:
        """The averaged model's losses on held-out clips, always on the same stretches."""
        model = Translator(self.model.config).to(self.device.device)
        model.load_state_dict(self.average.tensors)
        rng = np.random.default_rng(1)
        parts = [loss_of(model.eval(), self._draw(self._held, rng)) for _ in range(6)]
        return _figures(torch.stack(parts).mean(0))

    def save(self, path: Path) -> None:
        """Write the whole state, atomically, with what the model has played by itself."""
        extra = {"played": self.history.rollouts, "since": self.history.since}
        if self.music_history is not None:
            extra |= {"music_played": self.music_history.rollouts, "music_since": self.music_history.since}
        save_checkpoint(path, self.step, self.model, self.average, self.optimizer, extra)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        self.step = load_checkpoint(path, self.model, self.average, self.optimizer)
        extra = load_extra(path)
        for name, history in (("", self.history), ("music_", self.music_history)):
            played = extra.get(f"{name}played")
            if history is not None and played is not None and played.shape == history.rollouts.shape:
                history.rollouts, history.since = played, extra[f"{name}since"]


def split(
    data: Examples, music: ScoredMusic | None
) -> tuple[tuple[Examples, ScoredMusic | None], tuple[Examples, ScoredMusic | None]]:
    """Clips to train with, and the last of each kind, which are held out for the test curves."""
    count = len(data.age)
    held = max(1, min(count // 4, max(8, count // HELD_PART)))
    if music is None:
        return (data.rows(slice(None, -held)), None), (data.rows(slice(-held, None)), None)
    kept = max(1, min(len(music.seed) // 4, 40))
    return (
        (data.rows(slice(None, -held)), music.rows(slice(None, -kept))),
        (data.rows(slice(-held, None)), music.rows(slice(-kept, None))),
    )


def _figures(parts: Tensor) -> dict[str, float]:
    """The mean over all codes or bands, and the loss of a tick's first code or frame, which carries most."""
    return {"codes": float(parts.detach().mean()), "first_code": float(parts.detach()[0])}


def train_translator(
    work: Path,
    bundle: Path,
    recipe: TranslatorRecipe,
    *,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
    footage: Path | None = None,
    sources: SoundSources | None = None,
    music_clips: int = 0,
) -> Path:
    """Train a translator with a bundle's codec, visual network and latent space, or resume from its checkpoint.

    Args:
        work: folder of the recorded performances, the checkpoint and the curves.
        bundle: the bundle whose other networks are used.
        recipe: how to train.
        minutes: time limit of this run.
        start: a trained translator to start from when there is no checkpoint.
        device: where to compute; None for one process.
        footage: a data set to learn from in place of the synthetic performers; None for them.
        sources: a soundfont whose instruments play, and a corpus of real scores; None for synthesized instruments.
        music_clips: clips of music with gestures, which need a soundfont; 0 for none.

    Returns:
        The checkpoint's path.
    """
    device = device or Device()
    audio_ticks, latent = load_sound_network(bundle), load_network(bundle, "latent")
    if not isinstance(latent, Latent):
        raise TypeError("the bundle's latent space is of another class")
    torch.manual_seed(0)
    common: dict[str, Any] = {"sight_dim": latent.config.dim, "pitches": latent.config.pitches, "voice_names": VOICES}
    if isinstance(audio_ticks, Vocoder):
        config = TranslatorConfig(mel_dim=audio_ticks.config.dim, **common)
    else:
        codec_config = audio_ticks.config
        config = TranslatorConfig(
            num_codebooks=codec_config.num_codebooks,
            cardinality=codec_config.cardinality,
            latent_dim=codec_config.latent_dim,
            **common,
        )
    model = begin_model(config, start, GESTURE if music_clips else 0)
    if isinstance(audio_ticks, TokenCodec):
        model.codebooks.copy_(scaled_codebooks(audio_ticks))
    if model.config.pitches:
        model.set_latent_heads(latent.attack, latent.pitch)
    with device.main_first():
        data = examples_of(footage, bundle) if footage else load_examples(work, recipe.clips, bundle, sources=sources)
        music = None
        if music_clips:
            given = sources or SoundSources()
            music = load_music(work / "music", music_clips, bundle, corpus=given.corpus, soundfont=given.soundfont)
    training = TranslatorTraining(recipe, model, latent.video, data, device, music)
    return run(training, work, "translator", Plan(recipe.steps, minutes, test_every=250, silent=not device.main))


def begin_model(config: TranslatorConfig, start: nn.Module | None, gesture_dim: int) -> Translator:
    """A new translator, or a trained one; one that was trained without gestures begins to take them.

    Args:
        config: of a new one.
        start: a trained translator; None for none.
        gesture_dim: numbers of a gesture, 0 for what `start` has.
    """
    sizes = getattr(start, "config", config)
    if gesture_dim:
        sizes = replace(sizes, gesture_dim=gesture_dim)
    model = Translator(sizes)
    if start is not None:
        missing, unexpected = model.load_state_dict(start.state_dict(), strict=False)
        wrong = [name for name in (*missing, *unexpected) if not name.startswith("gesture.")]
        if wrong:
            raise ValueError(f"the weights to start from have other tensors: {', '.join(wrong[:3])}")
    if model.gesture is not None and (start is None or missing):
        for parameter in model.gesture[-1].parameters():
            nn.init.zeros_(parameter)
    return model


def scaled_codebooks(codec: TokenCodec) -> Tensor:
    """A codec's codebooks, scaled to a standard deviation of about one."""
    books = codec.quantizer.codebooks
    return books / books[0].std()


def _train(job: TrainingJob) -> TrainingResult:
    path = train_translator(
        job.work / "translator",
        job.bundle,
        TranslatorRecipe(**given_sizes(steps=job.steps, clips=job.clips)),
        minutes=job.minutes,
        start=job.start,
        device=job.device,
        footage=job.footage,
        sources=SoundSources(job.options.soundfont, job.options.corpus),
        music_clips=job.options.music,
    )
    material = trained_on(job.options.soundfont, job.options.corpus, recordings=False)
    return TrainingResult(path, {"trained_on": material} if material else {})


TRAINER = Trainer(
    _train,
    options=(
        MUSIC,
        SOUNDFONT,
        CORPUS,
    ),
)

"""Trains the translator: audio tokens from video latents, with a past that cannot drown the video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.codec.codec import TokenCodec
from models.codec.mel import Vocoder
from models.translation.latent import Latent, Motions
from models.translation.translator import Translator, TranslatorConfig, TranslatorInputs
from streaming.conventions import TICKS_PER_SECOND
from training.bundling import load_network, load_sound_network
from training.datasets.translator import VOICES, Examples, load_examples, to_network_dtype
from training.datasets.translator_rollouts import play
from training.datasets.user_footage import examples_of
from training.loop.checkpoint import MovingAverage, load_checkpoint, load_extra, save_checkpoint
from training.loop.device import Device
from training.loop.run import Plan, run
from training.synthesis.camera_augmentation import unsure, vary
from training.trainer_spec import Trainer, TrainingJob, TrainingResult, given_sizes

CAMERAS = 3
"""Camera variants of each clip."""
AHEAD = 3
"""Anticipation is drawn from 0..AHEAD ticks of 40 ms."""
HELD_PART = 50
"""One clip in this many is held out for the test curves."""


@dataclass(frozen=True)
class SamplingShares:
    """How often each kind of past, view and voice is drawn.

    Attributes:
        hidden: share of the rows whose past is hidden throughout.
        spells: share of the rows whose past is hidden for spells of 8 ticks.
        own: share of the rows with the model's own past, once it has one.
        wrong: share of the ticks with another clip's past.
        blind: share of the rows with no video, for guidance.
        by_name: share of the rows that name their voice though it is the one that is seen.
        other: share of the rows that ask for another voice, where one can play the same notes.
        depth: share of the ticks whose codes are learned; the depth transformer costs more than the backbone.
        attack: the same for ticks with an onset, which are rare and matter most.
    """

    hidden: float = 0.3
    spells: float = 0.15
    own: float = 0.4
    wrong: float = 0.08
    blind: float = 0.1
    by_name: float = 0.4
    other: float = 0.3
    depth: float = 0.15
    attack: float = 0.4


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
    shares: SamplingShares = SamplingShares()

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        return self.learning_rate * min(1.0, (step + 1) / 200) * max(0.03, 1.0 - step / self.steps)


class ClipSpans(NamedTuple):
    """Which stretch of which clips, in which voice: clip, take [B]; ticks of the video and of the audio [B, L]."""

    clip: Tensor
    take: Tensor
    video: Tensor
    audio_ticks: Tensor


class History:
    """The past that the model is shown: the true one, its own, or none.

    Args:
        data: the training clips.
        shares: how often each past is shown.
    """

    def __init__(self, data: Examples, shares: SamplingShares) -> None:
        self._codes, self._shares = data.codes, shares
        self.rollouts = torch.zeros_like(data.codes)
        self.since = torch.full(data.codes.shape[:2], -1)

    def remember(self, clip: Tensor, take: Tensor, ahead: Tensor, codes: Tensor) -> None:
        """Store what the model played for clips [R, T, K, 2], with an anticipation in ticks [R]."""
        for row in range(clip.numel()):
            delay = int(ahead[row])
            self.rollouts[clip[row], take[row], delay:] = codes[row, : codes.shape[1] - delay]
        self.since[clip, take] = ahead

    def draw(self, rng: np.random.Generator, spans: ClipSpans) -> tuple[Tensor, Tensor]:
        """The frames before each audio tick [B, L, ...], and where they are known [B, L]."""
        ticks, shares = spans.audio_ticks, self._shares
        batch, length = ticks.shape
        before = (ticks - 1).clamp_min(0)
        previous = self._codes[spans.clip[:, None], spans.take[:, None], before]
        known = (ticks > 0).float()
        chance = rng.random(batch)
        for row in range(batch):
            clip, take = int(spans.clip[row]), int(spans.take[row])
            since = int(self.since[clip, take])
            if chance[row] < shares.hidden:
                known[row] = 0
            elif chance[row] < shares.hidden + shares.spells:
                spell = np.repeat(rng.random(length // 8 + 1) < 0.5, 8)[:length]
                known[row, torch.from_numpy(spell)] = 0
            elif chance[row] < shares.hidden + shares.spells + shares.own and since >= 0:
                previous[row] = self.rollouts[clip, take, before[row]]
                known[row, ticks[row] <= since] = 0
        wrong = torch.from_numpy(rng.random((batch, length)) < shares.wrong)
        donor = torch.from_numpy(rng.integers(0, self._codes.shape[0], int(wrong.sum())))
        total = self._codes.shape[2]
        previous[wrong] = self._codes[donor, 0, torch.from_numpy(rng.integers(0, total, donor.numel()))]
        return to_network_dtype(previous), known


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


def draw_batch(
    view_latents: Tensor, data: Examples, history: History, rng: np.random.Generator, recipe: TranslatorRecipe
) -> TranslatorBatch:
    """Random stretches, each with a camera variant (see `encode_views`), a voice, an anticipation and a past."""
    spans, ahead = draw_spans(data, rng, recipe)
    camera = torch.from_numpy(rng.integers(0, view_latents.shape[1], recipe.batch))
    previous, known = history.draw(rng, spans)
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
    )
    codes = data.codes[spans.clip[:, None], spans.take[:, None], spans.audio_ticks]
    return TranslatorBatch(
        previous, known, video, to_network_dtype(codes), torch.from_numpy(rng.random((batch, length))) < share
    )


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
        device: where to compute; None for one process.
    """

    def __init__(
        self,
        recipe: TranslatorRecipe,
        model: Translator,
        sight: nn.Module,
        data: Examples,
        device: Device | None = None,
    ) -> None:
        self.recipe = recipe
        self.device = device or Device()
        self.model = model.to(self.device.device)
        self.device.same(self.model)
        sight = sight.to(self.device.device).eval().requires_grad_(False)
        self.average = MovingAverage(self.model, 0.998)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.03)
        held_count = max(1, min(len(data.age) // 4, max(8, len(data.age) // HELD_PART)))
        self._train, self._held = data.rows(slice(None, -held_count)), data.rows(slice(-held_count, None))
        self._train_views, self._held_views = (encode_views(sight, part) for part in (self._train, self._held))
        self.history = History(self._train, recipe.shares)
        self._held_history = History(self._held, recipe.shares)
        self.step = 0

    def _draw(
        self, view_latents: Tensor, data: Examples, history: History, rng: np.random.Generator
    ) -> TranslatorBatch:
        batch = draw_batch(view_latents, data, history, rng, self.recipe)
        where = self.device.device
        video = TranslatorInputs(*(x.to(where) for x in batch.video))
        return TranslatorBatch(
            batch.previous.to(where), batch.known.to(where), video, *(x.to(where) for x in batch[3:])
        )

    def _play(self, rng: np.random.Generator) -> None:
        """Let the averaged model play some clips, for `History`."""
        model = Translator(self.model.config).to(self.device.device)
        model.load_state_dict(self.average.tensors)
        data = self._train
        count = len(data.age)
        clip = torch.from_numpy(rng.choice(count, min(self.recipe.own_clips, count), replace=False))
        take = torch.from_numpy(np.where(rng.random(clip.numel()) < self.recipe.shares.other, 1, 0))
        take[data.voice[clip, take] == 0] = 0
        ahead = draw_ahead(rng, clip.numel())
        camera = torch.from_numpy(rng.integers(0, self._train_views.shape[1], clip.numel()))
        where = self.device.device
        for rows in torch.arange(clip.numel()).split(100):
            latents = self._train_views[clip[rows], camera[rows]].float().to(where)
            voice = torch.where(take[rows] > 0, data.voice[clip[rows], take[rows]], 0).to(where)
            frames = play(model, latents, data.age[clip[rows]].to(where), voice, ahead[rows].to(where), rng)
            self.history.remember(clip[rows], take[rows], ahead[rows], frames.cpu())

    def advance(self) -> dict[str, float]:
        """Make one step; returns its losses."""
        recipe = self.recipe
        rng = np.random.default_rng([self.step, 21 + self.device.rank])
        torch.manual_seed(self.step + 1_000_003 * self.device.rank)
        if self.step >= recipe.own_from and self.step % recipe.own_every == 0:
            self._play(rng)
        batch = self._draw(self._train_views, self._train, self.history, rng)
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
        parts = [
            loss_of(model.eval(), self._draw(self._held_views, self._held, self._held_history, rng)) for _ in range(6)
        ]
        return _figures(torch.stack(parts).mean(0))

    def save(self, path: Path) -> None:
        """Write the whole state, atomically, with what the model has played by itself."""
        extra = {"played": self.history.rollouts, "since": self.history.since}
        save_checkpoint(path, self.step, self.model, self.average, self.optimizer, extra)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        self.step = load_checkpoint(path, self.model, self.average, self.optimizer)
        extra = load_extra(path)
        if extra["played"].shape == self.history.rollouts.shape:
            self.history.rollouts, self.history.since = extra["played"], extra["since"]


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
    model = Translator(getattr(start, "config", config))
    if isinstance(audio_ticks, TokenCodec):
        model.codebooks.copy_(scaled_codebooks(audio_ticks))
    if start is not None:
        model.load_state_dict(start.state_dict())
    if model.config.pitches:
        model.set_latent_heads(latent.attack, latent.pitch)
    with device.main_first():
        data = examples_of(footage, bundle) if footage else load_examples(work, recipe.clips, bundle)
    training = TranslatorTraining(recipe, model, latent.video, data, device)
    return run(training, work, "translator", Plan(recipe.steps, minutes, test_every=250, silent=not device.main))


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
    )
    return TrainingResult(path)


TRAINER = Trainer(_train)

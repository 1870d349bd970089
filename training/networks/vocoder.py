"""Trains the vocoder of the mel representation, from spectrograms back to sound.

It learns from the sounds that the codec learns from. With `--decoder BUNDLE` it begins with that bundle's codec: the
decoder's layers are kept, and the latents that they expect are estimated from the spectrogram.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.codec.codec import Codec
from models.codec.mel import Vocoder, init_from_decoder, init_linear_decoder
from models.codec.partial_analysis import scaled_log
from training.bundling import load_sound_network
from training.datasets.codec import SoundSources, build_corpus
from training.datasets.sounds.attributions import trained_on
from training.loop.device import Device
from training.networks.decoder_training import (
    LEARNING_RATE,
    PLACE_WEIGHT,
    DecoderRecipe,
    DecoderTraining,
    run_decoder_training,
)
from training.trainer_spec import CORPUS, SOUNDFONT, Trainer, TrainerOption, TrainingJob, TrainingResult, given_sizes


class VocoderTraining(DecoderTraining[Vocoder]):
    """The training of a vocoder.

    Args:
        recipe: how to train.
        vocoder: the network; it is moved to the device.
        corpus: int16 [clips, samples].
        device: where to compute; None for one process on the CPU or the first GPU.
        sources: of the corpus; held-out clips are of the same, from what is kept for tests.
        codec: whose decoder it begins with; None to begin anew.
    """

    def __init__(
        self,
        recipe: DecoderRecipe,
        vocoder: Vocoder,
        corpus: NDArray[np.int16],
        device: Device | None = None,
        sources: SoundSources | None = None,
        codec: Codec | None = None,
    ) -> None:
        super().__init__(recipe, vocoder, vocoder.decoder, corpus, device, sources)
        self.codec = codec

    def advance(self) -> dict[str, float]:
        """Make one step; returns its losses."""
        rng = self.draw(31)
        if self.step == 0:
            if self.codec is None:
                self._begin(rng)
            else:
                self._begin_with(self.codec, rng)
        x = self.crops(rng)
        with torch.no_grad():
            frames = self.network.encode(x)
        mel, place = self.judge(frames, x, int(rng.integers(1 << 11)))
        self.update(mel + self.recipe.place_weight * place)
        return {"mel": float(mel.detach()), "place": float(place.detach())}

    def echo(self, network: Vocoder, x: Tensor) -> Tensor:
        """Sound [B, 1, n] from its own spectrogram."""
        return network.decode(network.encode(x))

    @torch.no_grad()
    def _begin(self, rng: np.random.Generator) -> None:
        frames, parameters = [], []
        for x in self.batches(rng, 60):
            places, level = self.judge.true_places(x)
            frames.append(self.network.encode(x).transpose(1, 2).flatten(0, 1))
            # The second of a frame's two hops: there all of the frame has been heard.
            parameters.append(torch.cat([places, scaled_log(level)], -1)[:, 1::2].flatten(0, 1))
        init_linear_decoder(self.network, torch.cat(frames), torch.cat(parameters))
        self.device.same(self.network)

    @torch.no_grad()
    def _begin_with(self, codec: Codec, rng: np.random.Generator) -> None:
        frames, latents = [], []
        for x in self.batches(rng, 60):
            frames.append(self.network.encode(x).transpose(1, 2).flatten(0, 1))
            tokens = codec.quantizer.encode(codec.encoder(x.cpu()))
            latents.append(codec.quantizer.decode(tokens).transpose(1, 2).flatten(0, 1).to(x.device))
        init_from_decoder(self.network, codec.decoder, torch.cat(frames).cpu(), torch.cat(latents).cpu())
        self.device.same(self.network)


def train_vocoder(
    work: Path,
    recipe: DecoderRecipe,
    *,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
    sources: SoundSources | None = None,
    codec: Codec | None = None,
) -> Path:
    """Train a vocoder, or resume from its checkpoint.

    Args:
        work: folder of the corpus, the checkpoint and the curves.
        recipe: how to train.
        minutes: time limit of this run.
        start: a trained vocoder to start from when there is no checkpoint.
        device: where to compute; None for one process.
        sources: a soundfont and a corpus that are learned beside the palette; None for none.
        codec: whose decoder it begins with; None to begin anew.

    Returns:
        The checkpoint's path.
    """
    device = device or Device()
    torch.manual_seed(0)
    vocoder = Vocoder(getattr(start, "config", None))
    if start is not None:
        vocoder.load_state_dict(start.state_dict())
    with device.main_first():
        corpus = build_corpus(work, recipe.clips, sources=sources)
    training = VocoderTraining(recipe, vocoder, corpus, device, sources, codec)
    if start is not None:
        training.step = 1

    return run_decoder_training(training, work, "vocoder", minutes)


def _train(job: TrainingJob) -> TrainingResult:
    sizes = given_sizes(steps=job.steps, clips=job.clips)
    rates = {"learning_rate": job.options.learning_rate, "place_weight": job.options.place_weight}
    sizes |= {name: value for name, value in rates.items() if value is not None}
    sources = SoundSources(job.options.soundfont, job.options.corpus)
    codec = load_sound_network(job.options.decoder) if job.options.decoder else None
    if codec is not None and not isinstance(codec, Codec):
        raise ValueError(f"--decoder {job.options.decoder}: this bundle has no codec of the additive kind")
    path = train_vocoder(
        job.work / "vocoder",
        DecoderRecipe(**sizes),
        minutes=job.minutes,
        start=job.start,
        device=job.device,
        sources=sources,
        codec=codec,
    )
    material = trained_on(sources.soundfont, sources.corpus)
    return TrainingResult(path, {"trained_on": material} if material else {})


TRAINER = Trainer(
    _train,
    options=(
        TrainerOption("--decoder", {"type": Path, "help": "bundle whose codec's decoder the vocoder begins with"}),
        LEARNING_RATE,
        PLACE_WEIGHT,
        SOUNDFONT,
        CORPUS,
    ),
)

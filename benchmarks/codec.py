"""Times a tick of a MusicGen-type codec by runtime and precision, and measures what lower precision costs.

    python -m benchmarks.codec [BUNDLE] [--ticks 150]

Without a bundle the codec has the full size and seeded weights: each layer is scaled by music, and the codebooks are
taken from its latents, so that its tokens and errors resemble a trained codec's. The runners take turns, one tick each
40 ms as
in a show: other load on the machine affects all of them alike, and the caches are as cold as in a show.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.bundles import find_bundle
from engines.contract import EngineError
from engines.runtimes.onnxruntime_runtime import OnnxRunner
from engines.runtimes.torch_runtime import TorchRunner
from engines.tick_engines import Runner
from export import rounded_codec
from export.onnx import to_onnx
from models.codec.codec import TokenCodec, nearest
from models.codec.encodec import Encodec
from models.codec.encodec_layers import (
    EncodecBlock,
    EncodecConfig,
    EncodecConv,
    EncodecLayer,
    EncodecLstm,
    EncodecSequence,
    EncodecUpsample,
)
from models.tick_modules import DecoderTick, EncoderTick, TickModule
from streaming.conventions import TICK_NS
from streaming.timing.clock import now_ns, sleep_until
from training.bundling import load_sound_network
from training.datasets.codec import TEST_SEED, render_clip

WARM_UP = 5
SETUP_SEEDS, MEASURED_SEEDS = (
    range(TEST_SEED + 200_000, TEST_SEED + 200_008),
    range(TEST_SEED + 210_000, TEST_SEED + 210_004),
)
"""Clips that the seeded codec is made with, and those that it is measured on."""
SETUP_S, MEASURED_S = 1.5, 2.0


def music(seeds: range, seconds: float, sample_rate: int) -> Tensor:
    """The beginnings of rendered clips: float32 [clips, 1, samples] in -1..1."""
    clips = np.stack([render_clip(seed)[: round(seconds * sample_rate)] for seed in seeds])
    return torch.from_numpy(clips.astype(np.float32) / 32768)[:, None]


@torch.no_grad()
def seeded_codec(config: EncodecConfig, sound: Tensor, seed: int = 0) -> Encodec:
    """An untrained codec whose layers are scaled by data (Mishkin and Matas 2016); its tokens depend on the sound.

    Args:
        config: the sizes.
        sound: [B, 1, samples], for the scaling.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    codec = Encodec(config).eval().requires_grad_(False)
    latents = _normalize(codec.encoder.layers, sound)
    rest = latents.transpose(1, 2).flatten(0, 1)
    reconstruction = torch.zeros_like(rest)
    parts = rest.tensor_split(config.num_codebooks)
    begin = 0
    for k, part in enumerate(parts):
        # Each codebook is of other sounds than those before it, whose rests would be nothing.
        own = rest[begin : begin + len(part)]
        begin += len(part)
        chosen = own[torch.randint(len(own), (config.cardinality,))]
        book = chosen + 0.3 * own.std(0) * torch.randn_like(chosen)
        codec.quantizer.codebooks[k] = book
        entry = book[nearest(rest, book)]
        reconstruction, rest = reconstruction + entry, rest - entry
    _normalize(codec.decoder.layers, reconstruction.unflatten(0, (latents.shape[0], -1)).transpose(1, 2))
    last = codec.decoder.layers.parts()[-1]
    assert isinstance(last, EncodecConv)
    assert last.conv.bias is not None
    last.conv.weight.mul_(0.1)
    last.conv.bias.mul_(0.1)
    return codec


def _normalize(part: EncodecLayer, x: Tensor) -> Tensor:
    """Scale each convolution in order so that its output has mean 0 and deviation 1; returns the last output."""
    if isinstance(part, EncodecSequence):
        for inner in part.parts():
            x = _normalize(inner, x)
        return x
    if isinstance(part, EncodecBlock):
        return _normalize(part.block, x) + (x if part.shortcut is None else _normalize(part.shortcut, x))
    if isinstance(part, EncodecLstm):
        for weight in part.lstm.parameters():
            weight.mul_(2.0)
    if isinstance(part, (EncodecConv, EncodecUpsample)):
        y = part(x)
        deviation = y.std((0, 2)) + 1e-6
        part.conv.weight.div_(
            deviation[None, :, None] if isinstance(part, EncodecUpsample) else deviation[:, None, None]
        )
        assert part.conv.bias is not None
        part.conv.bias.sub_(y.mean((0, 2))).div_(deviation)
    found: Tensor = part(x)
    return found


def runners(tick: TickModule) -> dict[str, Runner]:
    """The runners that are compared."""
    data = to_onnx(tick)
    found: dict[str, Runner] = {
        "torch fp32": TorchRunner(tick, torch.device("cpu")),
        "ONNX Runtime fp32": OnnxRunner(data),
        "ONNX Runtime fp32, 2 threads": OnnxRunner(data, 2),
    }
    if rounded_codec.is_encodec_half(tick):
        small = rounded_codec.round_weights(tick, data)
        found |= {"ONNX Runtime int8": OnnxRunner(small), "ONNX Runtime int8, 2 threads": OnnxRunner(small, 2)}
    return found


def time_codec_runners(
    compared: dict[str, Runner], ticks: list[dict[str, NDArray[Any]]], reset: Callable[[int], bool]
) -> tuple[dict[str, list[float]], dict[str, list[NDArray[Any]]]]:
    """Run the runners in turn.

    Args:
        compared: the runners.
        ticks: the inputs.
        reset: whether a new stream begins with the tick of this number.

    Returns:
        The milliseconds of each tick, and its output.
    """
    durations: dict[str, list[float]] = {name: [] for name in compared}
    outputs: dict[str, list[NDArray[Any]]] = {name: [] for name in compared}
    due = now_ns()
    for number, inputs in enumerate(ticks):
        for name, runner in compared.items():
            if reset(number):
                runner.reset()
            due = max(due + TICK_NS, now_ns())
            sleep_until(due)
            begin = now_ns()
            outputs[name].append(runner.run(inputs))
            durations[name].append((now_ns() - begin) / 1e6)
    return durations, outputs


def decibels(noise: float) -> float:
    """A relative noise level as a signal-to-noise ratio in dB."""
    return -20.0 * float(np.log10(max(noise, 1e-12)))


def compare(codec: TokenCodec, ticks: int) -> list[str]:
    """Compare the runners on both halves of a codec, with unseen music; returns the table's lines."""
    hop = codec.config.hop
    clips = music(MEASURED_SEEDS, MEASURED_S, codec.config.sample_rate)
    length = int(clips.shape[-1]) // int(2 * hop)
    played = [pcm.numpy()[None] for clip in clips for pcm in clip[:, : 2 * hop * length].split(2 * hop, -1)] * -(
        -ticks // (length * len(clips))
    )
    lines = []
    encoder, decoder = EncoderTick(codec).eval(), DecoderTick(codec).eval()

    def begins(number: int) -> bool:
        return number % length == 0

    durations, outputs = time_codec_runners(runners(encoder), [{"pcm": pcm} for pcm in played[:ticks]], begins)
    frames = outputs["torch fp32"]
    for name, times in durations.items():
        share = float(np.mean([np.mean(a != b) for a, b in zip(outputs[name], frames, strict=True)]))
        lines.append(_line("encoder", name, times, f"{100 * share:.1f}% of tokens differ"))
    durations, outputs = time_codec_runners(runners(decoder), [{"frames": frames} for frames in frames], begins)
    late = -(-decoder.latency_samples // (2 * hop))
    numbers = [number for number in range(ticks) if number % length >= late]
    want = [outputs["torch fp32"][number] for number in numbers]
    for name, times in durations.items():
        noise = rounded_codec.relative_noise(want, [outputs[name][number] for number in numbers])
        note = "" if name == "torch fp32" else f"SNR {decibels(noise):.1f} dB"
        lines.append(_line("decoder", name, times, note))
    return lines


def _line(half: str, name: str, times: list[float], note: str) -> str:
    p50, p99 = np.percentile(times[WARM_UP:], (50, 99))
    return f"{half:<8} {name:<30} p50 {p50:6.1f}  p99 {p99:6.1f}  min {min(times):6.1f} ms  {note}"


def main(arguments: list[str] | None = None) -> int:
    """Measure; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.codec", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", nargs="?", help="a bundle with a codec; default: full size with seeded weights")
    parser.add_argument("--ticks", type=int, default=150, help="ticks per runner (default: 150)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # as the torch runtime has it
    try:
        if options.bundle is None:
            config = EncodecConfig()
            codec: Any = seeded_codec(config, music(SETUP_SEEDS, SETUP_S, config.sample_rate))
        else:
            codec = load_sound_network(Path(find_bundle(options.bundle)))
    except EngineError as error:
        print(error, file=sys.stderr)
        return 2
    if not isinstance(codec, TokenCodec):
        print(f"{options.bundle}: it has a vocoder, no codec; name a bundle with a codec", file=sys.stderr)
        return 2
    print("\n".join(compare(codec, options.ticks)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

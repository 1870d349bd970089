"""Networks in 8-bit integers, where that is faster and accurate enough: the visual network, and codecs like MusicGen's.

The visual network is convolutional. Its weights and activations are rounded to 256 steps, whose ranges are calibrated
on pictures of rendered performers (static post-training quantization, Jacob et al. 2018). Sums stay exact. Everything
after the last convolution, where a place is read to a fraction of a pixel, stays in single precision. For the codec see
`export.rounded_codec`.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engines.networks import NETWORKS
from engines.runtimes.onnxruntime_runtime import OnnxRunner
from engines.runtimes.torch_runtime import TorchRunner
from export import rounded_codec
from models.tick_modules import TickModule
from performers.kinds import KINDS
from performers.performer import SyntheticPerformer
from streaming.vision.frame_features import fit_square

TOLERANCE = 0.06
"""Largest difference of an output from torch. For numbers: the mean difference relative to their spread over pictures;
for sound and for tokens' latents: the loudness of the difference relative to the whole."""
CALIBRATION_SEED, PARITY_SEED = 7_000_000, 7_100_000
_CALIBRATION_COUNT, _PARITY_COUNT = 100, 40
_SIZE = (256, 192)


def supports_int8(network: str, tick: TickModule) -> bool:
    """Whether it can be built in 8 bits; other networks are small matrices, and their state must not drift."""
    return NETWORKS[network].int8 or rounded_codec.is_encodec_half(tick)


def calibration_pictures(seed: int, count: int, side: int) -> Iterator[NDArray[np.uint8]]:
    """Pictures of rendered performers in varying light, in the networks' format: uint8 [1, side, side, 3]."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        performer = SyntheticPerformer(KINDS[index % len(KINDS)], seed + index, size=_SIZE, duration_s=4.0)
        picture = performer.frame(float(rng.uniform(0.2, 3.8))) * rng.uniform(0.5, 1.3)
        yield fit_square(np.clip(picture, 0, 255).astype(np.uint8), side)[None]


def to_int8(tick: TickModule, data: bytes) -> bytes:
    """An exported network in 8-bit integers.

    Args:
        tick: the network: half of a codec, or one whose input is a picture.
        data: its ONNX file in single precision.
    """
    if rounded_codec.is_encodec_half(tick):
        return rounded_codec.round_weights(tick, data)
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    (image,) = tick.inputs

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._pictures = calibration_pictures(CALIBRATION_SEED, _CALIBRATION_COUNT, image.shape[1])

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            picture = next(self._pictures, None)
            return None if picture is None else {image.name: picture}

    talk = logging.getLogger()
    before = talk.level
    talk.setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            whole, preprocessed, small = (Path(folder) / name for name in ("whole.onnx", "prepared.onnx", "small.onnx"))
            whole.write_bytes(data)
            quant_pre_process(str(whole), str(preprocessed), skip_symbolic_shape=True)
            quantization.quantize_static(
                str(preprocessed),
                str(small),
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "Add", "Relu"],
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )
            return small.read_bytes()
    finally:
        talk.setLevel(before)


def int8_parity(tick: TickModule, data: bytes) -> dict[str, float]:
    """Compare with torch on other pictures than those of the calibration; for a codec see `codec_parity`.

    Returns:
        Each of the output's numbers has a mean difference, relative to the number's spread over the pictures. `output`
        is the mean of these over all numbers, `worst` the largest.
    """
    if rounded_codec.is_encodec_half(tick):
        return rounded_codec.codec_parity(tick, data)
    ours, theirs = TorchRunner(tick, torch.device("cpu")), OnnxRunner(data)
    (image,) = tick.inputs
    reference, outputs = [], []
    for picture in calibration_pictures(PARITY_SEED, _PARITY_COUNT, image.shape[1]):
        reference.append(ours.run({image.name: picture}).reshape(-1))
        outputs.append(theirs.run({image.name: picture}).reshape(-1))
    spread = np.std(reference, 0)
    share = np.abs(np.subtract(outputs, reference)).mean(0) / (spread + 1e-3 * spread.max())
    return {"output": float(share.mean()), "worst": float(share.max())}

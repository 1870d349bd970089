"""Converts the published weights of EfficientNet-Lite0 to ONNX; the file may hold tensors and nothing that is run."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import onnx
import torch

from engines.contract import EngineError
from engines.eyes.catalogue import EyeNetwork
from export.onnx import OPSET, no_warnings
from models.vision.efficientnet_lite import LITE0, EfficientNetLite, LiteShape, load_published


def convert_efficientnet(data: bytes, network: EyeNetwork, shape: LiteShape = LITE0) -> bytes:
    """Convert a checkpoint to ONNX.

    Args:
        data: the file of torch, whose hash was checked; it is read as tensors alone, without unpickling code.
        network: its row, which has the picture's side and the output's name.
        shape: the network's sizes.

    Returns:
        The ONNX file. Its input is `image`, float32 [1, 3, S, S]; the output is [1, classes], odds.

    Raises:
        EngineError: when the file does not hold the weights of such a network.
    """
    module = EfficientNetLite(shape)
    try:
        published = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)  # noqa: TID251
        load_published(module, published)
    except Exception as error:  # torch's errors for a file that it does not accept share no other base class
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise EngineError(f"{network.source} does not hold the weights of {network.name} ({reason})") from error
    return to_onnx_file(module.eval(), network)


def to_onnx_file(module: torch.nn.Module, network: EyeNetwork) -> bytes:
    """Write a network of one picture as an ONNX file."""
    image = torch.zeros(1, 3, network.side, network.side)
    with tempfile.TemporaryDirectory() as folder, no_warnings(), torch.no_grad():
        path = Path(folder) / "eye.onnx"
        torch.onnx.export(
            module,
            (image,),
            path,
            input_names=["image"],
            output_names=[network.outputs[0].name],
            opset_version=OPSET,
            dynamo=False,
        )
        model = onnx.load(path)
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1  # which the exporter loses
    onnx.checker.check_model(model, full_check=True)
    written: bytes = model.SerializeToString()
    return written

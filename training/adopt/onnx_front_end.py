"""Reads a picture backbone from an ONNX file as a visual front end with untrained heads: `--front-end onnx`.

A small manifest beside the file (`FILE.json`) has the side of the pictures, their value range, and the graph's value
that is the feature map. The graph is compared with ONNX Runtime's output before anything is trained on it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.onnx_graph import OPERATORS, OnnxGraph
from models.vision.pretrained_embeddings import IMAGENET, FrontEndConfig, PretrainedEmbedding

TOLERANCE = 1e-3
"""Largest difference to ONNX Runtime, relative to the largest feature; measured 1e-6 to 1e-5."""
KINDS = {1: np.float32, 10: np.float16, 11: np.float64}
"""ONNX's numbers of its float types."""


@dataclass(frozen=True)
class FrontEndManifest:
    """How the backbone takes its pictures. A value v of 0 to 1 becomes (v - mean) / spread.

    Attributes:
        side: of the square pictures, in pixels; 0 for the file's own.
        mean, spread: for red, green and blue.
        bgr: blue comes first.
        output: the value that is the feature map [B, C, h, w], or tokens [B, 1 + n * n, C]; "" for the first output.
    """

    side: int = 0
    mean: tuple[float, ...] = IMAGENET[0]
    spread: tuple[float, ...] = IMAGENET[1]
    bgr: bool = False
    output: str = ""


def from_onnx(file: Path | None) -> PretrainedEmbedding:
    """A front end around an ONNX file's backbone.

    Raises:
        ValueError: when the file or its manifest cannot be used; one line with the reason and the fix.
    """
    where = "--front-end-weights"
    if file is None or not file.is_file():
        raise ValueError(f"{where} {file or ''}: no such file; --front-end onnx needs an ONNX file")
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ValueError('--front-end onnx needs ONNX: pip install -e ".[cpu]"') from error
    try:
        manifest = manifest_of(file.with_suffix(".json"))
        data = file.read_bytes()
        try:
            model = onnx.load_from_string(data)
        except Exception as error:  # whatever a damaged file makes the reader raise
            raise ValueError(f"it is no ONNX file ({_line(error)})") from error
        graph, tensors = graph_of(model, manifest.output)
        side = _side(model, manifest.side)
        return _verify(graph, tensors, manifest, side, model, onnxruntime)
    except ValueError as error:
        raise ValueError(f"{where} {file}: {error}") from error


def manifest_of(path: Path) -> FrontEndManifest:
    """The manifest beside a file; without one, ImageNet's range and the first output.

    Raises:
        ValueError: when it is not valid.
    """
    if not path.exists():
        return FrontEndManifest()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        frozen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        manifest = FrontEndManifest(**frozen)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is not right ({_line(error)}); see docs/bundles.md") from error
    if len(manifest.mean) != 3 or len(manifest.spread) != 3 or not all(manifest.spread):
        raise ValueError(f"{path.name}: mean and spread have three numbers, spread none of 0")
    return manifest


def graph_of(model: Any, output: str = "") -> tuple[dict[str, Any], list[np.ndarray]]:
    """A model as plain values for `OnnxGraph`, and its tensors.

    Raises:
        ValueError: when it has parts that are not supported.
    """
    from onnx import numpy_helper

    graph = model.graph
    constants = {one.name: one for one in graph.initializer}
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
            continue
        if node.input and all(name in constants for name in node.input):
            constants.update(_fold_constants(node, constants))
            continue
        nodes.append([node.op_type, list(node.input), list(node.output), _attributes(node)])
        if node.op_type == "Resize" and len(node.input) > 2 and node.input[2] in constants:
            # How many times larger: a number for the graph, none of the device's.
            nodes[-1][3]["scales"] = numpy_helper.to_array(constants[node.input[2]]).tolist()
            nodes[-1][1][1:3] = ["", ""]
    inputs = [one for one in graph.input if one.name not in constants]
    if len(inputs) != 1:
        raise ValueError(f"it has {len(inputs)} inputs, and a picture is one")
    output = output or graph.output[0].name
    nodes = _reachable(nodes, output)
    if unknown := sorted({node[0] for node in nodes} - OPERATORS.keys()):
        raise ValueError(f"operator {', '.join(unknown)} is not known here; see models/onnx_graph.py")
    input_names = {name for node in nodes for name in node[1]}
    floats, integers = [], {}
    for name, tensor in constants.items():
        if name not in input_names:
            continue
        if tensor.external_data:
            raise ValueError("its weights are in another file; save it with the weights inside")
        values = numpy_helper.to_array(tensor)
        if tensor.data_type in KINDS:
            floats.append((name, np.array(values, np.float32)))
        else:
            integers[name] = values.astype(np.int64).tolist()
    first = inputs[0].type.tensor_type.shape.dim[0]
    plain_graph = {
        "model_type": "onnx",
        "nodes": nodes,
        "tensors": [[name, list(values.shape)] for name, values in floats],
        "integers": integers,
        "input": inputs[0].name,
        "output": output,
        "rows": int(first.dim_value),
    }
    return plain_graph, [values for _, values in floats]


def _fold_constants(node: Any, constants: dict[str, Any]) -> dict[str, Any]:
    """The outputs of a node that depends on constants only."""
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    operands = {name: numpy_helper.to_array(constants[name]) for name in node.input}
    found = ReferenceEvaluator(node).run(None, operands)
    return {name: numpy_helper.from_array(np.asarray(one), name) for name, one in zip(node.output, found, strict=True)}


def _reachable(nodes: list[list[Any]], output: str) -> list[list[Any]]:
    """The nodes that the output depends on, in order."""
    wanted, reached = {output}, []
    for node in reversed(nodes):
        if wanted & set(node[2]):
            wanted |= set(node[1])
            reached.append(node)
    if not reached:
        last = ", ".join(node[2][0] for node in nodes[-8:])
        raise ValueError(f"it has no value {output!r}; the last ones are {last}")
    return reached[::-1]


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper, numpy_helper

    found: dict[str, Any] = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.type == attribute.TENSOR:
            value = numpy_helper.to_array(value).reshape(-1)[0].item()
        elif isinstance(value, bytes):
            value = value.decode()
        elif not isinstance(value, int | float):
            value = list(value)
        found[attribute.name] = value
    if node.op_type == "Constant":
        found = {"value": next(iter(found.values()))}
    return found


def _side(model: Any, wanted: int) -> int:
    shape = [one.dim_value for one in model.graph.input[0].type.tensor_type.shape.dim]
    if len(shape) != 4 or shape[1] not in (0, 3):
        raise ValueError(f"its input is {shape}, not [B, 3, H, W]")
    side = wanted or shape[2]
    if side < 1 or any(own not in (0, side) for own in shape[2:]):
        raise ValueError("its pictures are not square, or of no known size; say their side in the manifest")
    return side


def _verify(
    graph: dict[str, Any], tensors: list[np.ndarray], manifest: FrontEndManifest, side: int, model: Any, runtime: Any
) -> PretrainedEmbedding:
    """The front end, once its graph gives what ONNX Runtime gives.

    Raises:
        ValueError: when it does not, or when its output is no feature map.
    """
    network = OnnxGraph(graph)
    for own, values in zip(network.weights, tensors, strict=True):
        own.copy_(torch.from_numpy(values))
    picture = np.random.default_rng(0).standard_normal((1, 3, side, side)).astype(np.float32)
    if graph["output"] not in {one.name for one in model.graph.output}:
        model.graph.output.add().name = graph["output"]
    try:
        session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        want = session.run([graph["output"]], {graph["input"]: picture})[0]
        with torch.no_grad():
            found = network(torch.from_numpy(picture)).numpy()
    except (RuntimeError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(f"it cannot be run ({_line(error)})") from error
    except Exception as error:  # onnxruntime's own errors share no base class but Exception
        raise ValueError(f"ONNX Runtime does not accept it ({_line(error)})") from error
    if found.ndim not in (3, 4):
        last = ", ".join(node[2][0] for node in graph["nodes"][-8:])
        raise ValueError(f"{graph['output']!r} is {list(found.shape)}, no map; name another in the manifest: {last}")
    far = float(np.abs(found - want).max() / max(float(np.abs(want).max()), 1e-9)) if found.shape == want.shape else 1.0
    if not far <= TOLERANCE:
        raise ValueError(f"it is read here as another function than ONNX Runtime reads it ({far:.1g} apart)")
    backbone = {**graph, "width": int(found.shape[1] if found.ndim == 4 else found.shape[2])}
    config = FrontEndConfig("onnx", backbone, side, mean=manifest.mean, spread=manifest.spread, bgr=manifest.bgr)
    embedding = PretrainedEmbedding(config)
    embedding.backbone.load_state_dict(network.state_dict())
    return embedding


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]

"""Shared constants are stated once, in `streaming.conventions`; the packages that may not import it agree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from models.codec.encodec_layers import EncodecConfig
from models.codec.partial_analysis import FRAME
from models.vision.embedding import SIDE
from streaming import conventions
from streaming.vision.frame_features import VIEW_SIDE

ROOT = Path(__file__).resolve().parents[2]
SHARED = {name: value for name, value in vars(conventions).items() if name.isupper()}
MAY_IMPORT_IT = ("streaming", "training", "benchmarks")
TELLTALE = (conventions.TICK_NS, conventions.SAMPLE_RATE, conventions.TICK_SAMPLES)
"""Numbers that stand for nothing else."""


def modules(*packages: str) -> Iterator[Path]:
    """Every module of some packages but the one that states the constants."""
    for package in packages:
        yield from (path for path in (ROOT / package).rglob("*.py") if path.name != "conventions.py")


def assignments(path: Path) -> Iterator[tuple[str, object]]:
    """Names that a module binds to a literal at its top, with their values."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                    yield name.id, value.value


def test_the_shared_constants_agree_with_each_other() -> None:
    assert conventions.TICKS_PER_SECOND * conventions.TICK_NS == 1_000_000_000
    assert conventions.TICKS_PER_SECOND * conventions.TICK_SAMPLES == conventions.SAMPLE_RATE
    assert conventions.TOKEN_FRAMES_PER_TICK * conventions.TOKEN_FRAME_SAMPLES == conventions.TICK_SAMPLES


def test_no_module_gives_a_shared_name_another_value() -> None:
    assert [
        f"{path.relative_to(ROOT)}: {name} is {value}, in streaming.conventions {SHARED[name]}"
        for path in modules("models", "engines", "export", "performers", *MAY_IMPORT_IT)
        for name, value in assignments(path)
        if SHARED.get(name, value) != value
    ] == []


def test_who_may_import_the_constants_does_not_write_them_out() -> None:
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for path in modules(*MAY_IMPORT_IT)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in TELLTALE
    ] == []


def test_models_which_import_nothing_agree() -> None:
    config = EncodecConfig()
    assert (config.sample_rate, config.hop) == (conventions.SAMPLE_RATE, conventions.TOKEN_FRAME_SAMPLES)
    assert (config.num_codebooks, config.cardinality) == (conventions.NUM_CODEBOOKS, conventions.CARDINALITY)
    assert FRAME == conventions.TOKEN_FRAME_SAMPLES
    assert SIDE == VIEW_SIDE

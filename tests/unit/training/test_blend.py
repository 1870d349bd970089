"""A blend of two networks lies between them, in a bundle that is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engines.bundles import find_bundle, read_manifest, verify_together
from models.codec.mel import MelConfig, Vocoder
from training.blend import blend, main
from training.bundling import copy_missing_networks, load_network, write_network


def further_trained(folder: Path) -> Path:
    """A copy of the default bundle whose reader of kinds is another one."""
    copy_missing_networks(find_bundle("default"), folder)
    network = load_network(folder, "kind")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
        for buffer in network.buffers():
            if buffer.is_floating_point():
                buffer.add_(1.0)
    sources = [{"what": "films", "licence": "CC0"}]
    write_network(folder, "kind", network, {"command": "more", "steps": 2, "trained_on": sources})
    return folder


def test_a_blend_lies_between_the_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after, out = further_trained(tmp_path / "after"), tmp_path / "out"
    assert main(["kind", "default", str(after), "--share", "0.25", "--out", str(out)]) == 0
    first, second, made = (load_network(one, "kind").state_dict() for one in (find_bundle("default"), after, out))
    for name, tensor in made.items():
        torch.testing.assert_close(tensor, 0.75 * first[name] + 0.25 * second[name], atol=2e-3, rtol=2e-3)
    verify_together(out, "kind")
    training = read_manifest(out)["networks"]["kind"]["training"]
    assert training["command"] == "python -m training.blend kind default after --share 0.25"
    assert training["blend_of"][1]["command"] == "more"
    assert {"what": "films", "licence": "CC0"} in training["trained_on"]
    assert set(read_manifest(out)["networks"]) == set(read_manifest(find_bundle("default"))["networks"])
    assert str(out) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["kind", "default", "nowhere"], "nowhere"), (["kind", "default", "default", "--share", "2"], "between 0 and 1")],
)
def test_what_cannot_be_blended_is_refused(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([*arguments, "--out", str(out)]) == 2
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_networks_of_different_shapes_have_no_blend() -> None:
    sizes = [MelConfig(bands=8, short_bands=2, width=width, dilations=(1,)) for width in (8, 16)]
    with pytest.raises(ValueError, match="different shapes"):
        blend(Vocoder(sizes[0]), Vocoder(sizes[1]), 0.5)

"""The map that moves a still: it goes with the flow, comes back to rest, and never tears, fades or blurs it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from streaming.devices.stills.prior import fit_screen, load_prior, screen_size
from training.networks.pictures.warp import MAX_REACH, WARP_CELLS, Texture, WarpMap

SIZE = (320, 192)
TICK = 0.04


def still(size: tuple[int, int] = SIZE) -> np.ndarray:
    """Soft colours and a bright spot in the middle."""
    width, height = size
    rng = np.random.default_rng(0)
    image = np.asarray(cv2.GaussianBlur(rng.integers(0, 160, (height, width, 3), dtype=np.uint8), (0, 0), 6))
    cv2.circle(image, (width // 2, height // 2), 9, (255, 255, 255), -1, cv2.LINE_AA)
    return image


def spot(image: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(image.min(-1) > 220)
    return np.array([columns.mean(), rows.mean()])


def even(x: float, y: float) -> np.ndarray:
    return np.broadcast_to(np.array([x, y], np.float32)[:, None, None], (2, 16, 16)).copy()


def wild(rng: np.random.Generator, strength: float) -> np.ndarray:
    rough = rng.normal(0, strength, (4, 4, 2)).astype(np.float32)
    return np.asarray(cv2.resize(rough, (16, 16))).transpose(2, 0, 1)


def area(displacement: np.ndarray) -> np.ndarray:
    """Size of the prior's part that a cell shows, in cells: 1 at rest, below 0 where the map folds over."""
    by_y, by_x = (np.gradient(displacement, axis=axis) * WARP_CELLS for axis in (0, 1))
    return np.asarray((1.0 + by_x[..., 0]) * (1.0 + by_y[..., 1]) - by_x[..., 1] * by_y[..., 0])


@pytest.mark.parametrize("size", [SIZE, (192, 320), (256, 256)])
@pytest.mark.parametrize("way", [(0.2, 0.0), (0.0, 0.2), (-0.15, 0.1)])
def test_the_picture_goes_with_the_flow(size: tuple[int, int], way: tuple[float, float]) -> None:
    """Half a second of flow moves a point by half a second's way, in longer sides, whatever the screen's shape."""
    image, warp = still(size), WarpMap()
    for _ in range(12):
        warp.move(even(*way), TICK, 0.0)
    went = spot(Texture(image).render(warp.displacement)) - spot(image)
    np.testing.assert_allclose(went, np.array(way) * 12 * TICK * max(size), atol=1.0)


def test_without_flow_it_is_the_prior_itself_again() -> None:
    image, warp = still(), WarpMap()
    rng = np.random.default_rng(1)
    assert Texture(image).render(warp.displacement) is image
    for _ in range(50):
        warp.move(wild(rng, 0.5), TICK, 1.5)
    assert np.abs(Texture(image).render(warp.displacement).astype(int) - image).max() > 50
    for _ in range(125):
        warp.move(even(0, 0), TICK, 1.5)
    error = ((Texture(image).render(warp.displacement).astype(float) - image) ** 2).mean()
    assert 10 * np.log10(255**2 / max(error, 1e-6)) > 35.0, "5 s later"
    for _ in range(250):
        warp.move(even(0, 0), TICK, 1.5)
    assert Texture(image).render(warp.displacement) is image


def test_what_flows_above_and_below_a_wide_picture_moves_nothing_in_it() -> None:
    """A wide picture lies in the middle of its square."""
    flow = even(0.5, 0.5)
    flow[:, 3:13] = 0.0
    texture, warp = Texture(still((320, 80))), WarpMap()
    warp.move(flow, TICK, 0.0)
    assert np.abs(warp.displacement).max() > 0.01
    assert texture.reach(warp.displacement) == 0.0
    assert texture.render(warp.displacement) is texture.image


@pytest.mark.parametrize("size", [(688, 512), (512, 912), (320, 192), (95, 128)])
def test_a_picture_is_warped_by_the_part_of_the_map_in_which_it_lies(size: tuple[int, int]) -> None:
    """As when its whole square is warped and the picture is cut out."""
    width, height = size
    longer, rng = max(size), np.random.default_rng(5)
    rough = rng.normal(0, 0.02, (9, 9, 2)).astype(np.float32)
    displacement = cv2.resize(rough, (WARP_CELLS, WARP_CELLS), interpolation=cv2.INTER_CUBIC)
    top, left = (longer - height) // 2, (longer - width) // 2
    square = cv2.GaussianBlur(rng.integers(0, 255, (longer, longer, 3), dtype=np.uint8), (0, 0), 3)
    part = np.ascontiguousarray(square[top : top + height, left : left + width])
    whole = Texture(square).render(displacement)[top : top + height, left : left + width].astype(int)
    cut = Texture(part).render(displacement).astype(int)
    inner = np.s_[height // 6 : -height // 6, width // 6 : -width // 6]
    assert np.abs(whole - part)[inner].mean() > 3.0, "it moves"
    assert np.abs(whole - cut)[inner].max() <= 2


def test_any_storm_leaves_a_whole_picture() -> None:
    """Minutes of violent flow: nothing folds, nothing comes from too far, brightness and sharpness stay."""
    image, warp = still(), WarpMap()
    rng = np.random.default_rng(2)
    flow = wild(rng, 0.8)
    light, sharp, least = [], [], []

    def sharpness(x: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(x, cv2.CV_32F)).mean())

    for tick in range(2000):
        if tick % 10 == 0:
            flow = 0.5 * flow + wild(rng, 0.8)
        warp.move(flow, TICK, 1.0)
        least.append(float(area(warp.displacement).min()))
        assert np.sqrt((warp.displacement**2).sum(-1)).max() <= MAX_REACH + 1e-5
        if tick % 50 == 0:
            shown = Texture(image).render(warp.displacement)
            light.append(shown.mean() / image.mean())
            sharp.append(sharpness(shown) / sharpness(image))
    assert np.mean(np.array(least) > 0.0) > 0.98, "it hardly ever folds"
    assert np.mean(light) == pytest.approx(1.0, abs=0.05)
    assert np.mean(sharp) == pytest.approx(1.0, abs=0.15)


def test_what_is_no_number_moves_nothing() -> None:
    warp = WarpMap()
    warp.move(np.full((2, 16, 16), np.nan, np.float32), TICK, 1.0)
    assert np.abs(warp.displacement).max() == 0.0


def test_a_moved_picture_is_as_crisp_as_the_prior() -> None:
    """Half a pixel's shift both ways, the worst case: the shipped prior keeps what a cubic look-up would keep of it."""
    prior = load_prior("")
    width, height = size = screen_size(prior)
    image, warp = fit_screen(prior, size), WarpMap()
    warp.displacement[:] = 0.5 / max(size)
    shown = Texture(image).render(warp.displacement)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    cubic, linear = (
        cv2.remap(image, columns, rows, how, borderMode=cv2.BORDER_REFLECT_101)
        for how in (cv2.INTER_CUBIC, cv2.INTER_LINEAR)
    )

    def sharpness(picture: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(picture[8:-8, 8:-8].astype(np.float32), -1)).mean())

    assert sharpness(shown) > 0.9 * sharpness(cubic)
    assert sharpness(linear) < 0.8 * sharpness(cubic)
    assert 10 * np.log10(255**2 / ((shown.astype(float) - cubic) ** 2)[8:-8, 8:-8].mean()) > 40.0


def test_what_rests_stays_sharp_while_a_part_moves() -> None:
    """A pixel lies between the points of a finer texture: their mean must be the pixel."""
    rng = np.random.default_rng(3)
    image = rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)
    image = cv2.addWeighted(cv2.GaussianBlur(image, (0, 0), 0.7), 1.0, image, 0.0, 0.0)
    warp = WarpMap()
    warp.displacement[8:16, :8] = 0.03
    moved = Texture(image).render(warp.displacement).astype(float)
    rest = np.s_[40:, 60:]
    assert np.abs(moved[rest] - image[rest]).mean() < 1.0
    assert np.abs(moved[:10, :10] - image[:10, :10]).mean() > 5.0

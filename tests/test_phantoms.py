import numpy as np
import pytest
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

from srtools.phantoms import (
    circle,
    ellipses,
    random_shapes,
    shepp_logan,
    shepp_logan_variations,
)


@pytest.mark.parametrize("size", [32, 33])
def test_the_circle_is_centred_for_even_and_odd_sizes(size):
    disc = circle(size)
    assert np.array_equal(disc, disc[::-1]) and np.array_equal(disc, disc.T)
    assert disc[0].any() and not disc[0, 0]


@pytest.mark.parametrize("size", [32, 47])
def test_random_shapes_are_objects_on_an_empty_background(size):
    images = random_shapes(200, size, rng=np.random.default_rng(0))
    assert images.shape == (200, size, size, 1) and images.dtype == np.float32
    assert not images[:, ~circle(size)].any()
    assert 0.05 < (images > 0).mean() < 0.4
    assert images.max() <= 1 and images[images > 0].min() >= 0.2
    assert images.max(axis=(1, 2, 3)).min() > 0  # none is empty


@pytest.mark.parametrize("draw", [random_shapes, ellipses])
def test_the_generator_decides_the_objects(draw):
    first, again, other = (draw(3, 32, rng=np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_ellipses_follow_the_benchmark():
    images = ellipses(50, 64, rng=np.random.default_rng(0))
    assert images.shape == (50, 64, 64, 1) and images.dtype == np.float32
    assert np.allclose(images.max(axis=(1, 2, 3)), 1)
    assert images.min() == 0
    assert images[:, ~circle(64)].any()  # no circular mask


def test_the_head_is_where_it_should_be():
    head = shepp_logan(64)[0, ..., 0]
    assert head.max() == pytest.approx(1, abs=0.05)
    assert not head[~circle(64)].any()
    assert head[32, 32] == pytest.approx(0.2, abs=0.05)  # the brain
    theirs = resize(shepp_logan_phantom(), (64, 64), anti_aliasing=True)
    ours, flipped = head, head[::-1]
    assert np.abs(ours - theirs).mean() < 0.02 < np.abs(flipped - theirs).mean()


def test_the_heads_that_vary_are_like_the_one_that_does_not():
    mean = shepp_logan_variations(200, 64, rng=np.random.default_rng(0)).mean(axis=0)
    head = shepp_logan(64)[0]
    ways = [head, head[::-1], head[:, ::-1], head[::-1, ::-1]]
    match = [np.corrcoef(mean.ravel(), way.ravel())[0, 1] for way in ways]
    assert np.argmax(match) == 0


@pytest.mark.parametrize("draw", [random_shapes, ellipses])
def test_too_small_an_image_is_refused(draw):
    with pytest.raises(ValueError, match="at least 16 pixels, received 8"):
        draw(1, 8, rng=np.random.default_rng(0))

"""One U-Net for all numbers of views, beside one trained for each.

    python benchmarks/many_views.py

Writes results/many_views.csv: mean PSNR on shapes that no network saw, by number of
views, at doses drawn at random from those of the training. Each network is trained with
as many pairs and steps; FBP has the Hann window, TV one weight for all.
"""

import _record
import numpy as np

from srtools.metrics import psnr
from srtools.phantoms import random_shapes
from srtools.tomography import tv
from srtools.tutorial.many_views import (
    PHOTONS,
    SIZE,
    scan,
    tv_many_views,
    unet_many_views,
)

VIEWS = (4, 8, 16, 32, 64, 96)
OWN = (8,)  # numbers of views with a network of their own
N = 100


def main() -> None:
    """Train or load the networks, test and write the table."""
    many = unet_many_views()[0]
    own = {n: unet_many_views([n], name=f"unet_{n}_views")[0] for n in OWN}
    weight = tv_many_views()
    rows = []
    for views in VIEWS:
        rng = np.random.default_rng((5, views))
        images = random_shapes(N, SIZE, rng=rng)
        photons = np.exp(rng.uniform(*np.log(PHOTONS), N))
        beam, sinograms = scan(images, views, photons, rng=rng)
        drafts = beam.fbp(sinograms, filter="hann")
        found = {"FBP": drafts, "TV": tv(beam, sinograms, weight=weight)}
        found["network"] = many.predict(drafts, verbose=0)
        if views in OWN:
            found["own network"] = own[views].predict(drafts, verbose=0)
        scores = {k: f"{psnr(images, image).mean():.1f}" for k, image in found.items()}
        rows.append({"views": views, **scores})
        print(rows[-1], flush=True)
    print(_record.write("many_views", rows))


if __name__ == "__main__":
    main()

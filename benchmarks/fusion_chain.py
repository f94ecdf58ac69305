"""Where does the error of fused maps come from: photons, unmixing, or the fusion?

    python benchmarks/fusion_chain.py

Takes three layers of beds through the whole chain, 2 038 channels, unmixing and
directional TV with the guide, and writes results/fusion_chain.csv: the error of the
sinograms of each phase, and the PSNR of its maps. About two minutes on two cores.
"""

import _record
import numpy as np

from srtools.metrics import psnr
from srtools.superresolution import directional_tv, per_phase
from srtools.tomography import ParallelBeam, gaussian_noise
from srtools.xrdct import (
    COMPONENTS,
    PHASES,
    ParticleBed,
    amorphous,
    channel_angles,
    mean_patterns,
    measure,
    unmix,
)

SEEDS = (101, 102, 103)
SIZE, FACTOR = 149, 4
BEAM = ParallelBeam(
    SIZE, np.arange(60) * 3, (SIZE - 1) // FACTOR + 1, detector_spacing=FACTOR
)


def chains(sample, rng):
    """Sinograms (38, 60, 6) of the phases, by what stands between them and the maps."""
    two_theta = channel_angles()
    nominal = mean_patterns(PHASES, two_theta, crystallite=12.0)
    references = np.concatenate([nominal, amorphous(two_theta)[None]])

    def unmixed(**how):
        spectra = measure(sample, BEAM, two_theta, **how).sinograms
        return np.moveaxis(unmix(spectra, references)[..., 0], 0, -1)

    clean = np.moveaxis(BEAM.project(sample.phase_maps()[..., None])[..., 0], 0, -1)
    yield "true", clean
    noisy = [gaussian_noise(clean[..., k], 2.0, rng=rng) for k in range(6)]
    yield "2 % Gaussian noise", np.stack(noisy, -1)
    yield "unmixed, no noise", unmixed()
    for counts in (2_000, 200):
        yield f"unmixed, {counts:,} counts", unmixed(counts=counts, rng=rng)


def main() -> None:
    """Measure every chain on every layer and write the table."""
    done = {int(row["seed"]) for row in _record.read("fusion_chain")}
    for seed in sorted(set(SEEDS) - done):
        rows = []
        rng = np.random.default_rng(seed)
        sample = ParticleBed(seed).slice(0.0, 2 * SIZE - 1).downsample()
        truth = np.moveaxis(sample.phase_maps(), 0, -1)[None]
        guide = sample.attenuation()[None, ..., None]
        guide = guide + 0.02 * rng.standard_normal(guide.shape)
        for name, sinograms in chains(sample, rng):
            if name == "true":
                clean, largest = sinograms, sinograms.max(axis=(0, 1))
            error = np.sqrt(((sinograms - clean) ** 2).mean(axis=(0, 1)))
            noise = np.maximum(error, 0.002 * largest)[None]
            maps = directional_tv(
                BEAM, sinograms[None], guide, weight=0.35, noise=noise
            )
            found = per_phase(psnr, truth, maps)[0]
            for phase, e, p in zip(
                (*COMPONENTS, "mean"),
                (*(100 * error / largest), (100 * error / largest).mean()),
                (*found, found.mean()),
                strict=True,
            ):
                rows.append(
                    {
                        "seed": seed,
                        "chain": name,
                        "phase": phase,
                        "error_percent": f"{e:.2f}",
                        "psnr": f"{p:.2f}",
                    }
                )
            print(rows[-1], flush=True)
        _record.write("fusion_chain", [*_record.read("fusion_chain"), *rows])


if __name__ == "__main__":
    main()

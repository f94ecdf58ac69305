"""Tomography: the parallel beam, noise and faults, reconstruction without learning."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "astra_beam": ["AstraBeam"],
        "baselines": ["sirt", "tune", "tune_fbp", "tune_sirt", "tune_tv"],
        "faults": ["dead_column", "shifted_axis"],
        "filters": ["fbp_filter", "FILTERS"],
        "geometry": ["check_batch", "Geometry"],
        "noise": ["gaussian_noise", "noise_level", "poisson_noise"],
        "parallel_beam": ["ParallelBeam"],
        "resampling": ["bicubic", "Polyphase"],
        "solver": ["primal_dual"],
        "total_variation": ["denoise_tv", "tv"],
    },
)

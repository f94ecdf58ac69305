"""Super-resolution and fusion: finer images, and how much in them is to be believed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "batches": ["per_phase"],
        "consistency": ["consistent"],
        "detail": ["fourier_correlation", "FourierCorrelation", "new_detail"],
        "directional": ["directional_tv"],
        "grids": ["upsample"],
        "guided": ["guided_filter", "joint_bilateral"],
        "layers": ["Layers", "read_layers", "simulate_layers"],
        "liars": ["draw_disc", "shift"],
        "own": ["project_again", "resample_guide", "scan_maps"],
        "pairs": ["FusionPairs"],
        "scans": ["beds", "coarse_scan", "simulate_scans"],
        "trust": ["invented", "misfit", "register_guide"],
    },
)

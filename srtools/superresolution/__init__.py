"""Super-resolution and fusion: finer images, and how much in them is to be believed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "consistency": ["consistent"],
        "detail": ["fourier_correlation", "FourierCorrelation", "new_detail"],
        "grids": ["upsample"],
        "scans": ["beds", "coarse_scan", "simulate_scans"],
    },
)

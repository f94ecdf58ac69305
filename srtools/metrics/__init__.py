"""How good a reconstruction, a denoised image or a segmentation is, in tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "images": ["compare", "psnr", "Score", "ssim"],
        "intervals": ["conformal_factor"],
        "labels": ["calibration", "dice"],
        "table": ["Table"],
    },
)

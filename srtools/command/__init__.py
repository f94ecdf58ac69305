"""The command line: ``srtools preview``, ``reconstruct``, ``denoise``, ``segment``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "line": ["main"],
        "networks": ["denoise", "segment"],
        "scans": ["preview", "reconstruct"],
    },
)

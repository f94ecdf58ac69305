"""Data sets: what there is, where to get it, how to simulate and to read it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "benchmarks": ["simulate", "toy", "verify"],
        "download": ["available", "fetch"],
        "entries": ["Catalogue", "catalogue", "Entry"],
        "families": ["ANOMALIES", "read_families", "simulate_families"],
        "folders": [
            "PARTS",
            "simulate_denoising",
            "simulate_folders",
            "simulate_segmentation",
        ],
        "fresh_noise": ["FreshNoise"],
        "libraries": ["simulate_library"],
        "photographs": ["crops", "ENDINGS"],
        "scripts": ["command_line"],
        "stream": ["LibraryStream"],
        "volumes": ["load", "Volume"],
    },
)

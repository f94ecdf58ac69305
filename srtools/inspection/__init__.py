"""Inspection: what is in a data set, and what a network was not trained for."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "embedding": ["dimension_reducer", "resnet50_features"],
        "interactive_map": ["hover_map", "Html"],
        "novelty": ["NoveltyScore"],
        "stability": ["worst_perturbation"],
    },
)

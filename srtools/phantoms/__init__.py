"""Phantoms: objects that are drawn, to be measured."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "families": [
            "FAMILIES",
            "fibres",
            "foam",
            "grains",
            "packed_particles",
            "shepp_logan_variations",
        ],
        "scenes": [
            "BACKGROUND",
            "CRACK",
            "HOLLOW",
            "scene",
            "SOLID",
            "template_objects",
        ],
        "shapes": ["circle", "ellipses", "random_shapes", "shepp_logan"],
    },
)

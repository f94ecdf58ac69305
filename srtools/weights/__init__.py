"""Trained weights: those that come with the package, and how all are kept."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "store": [
            "Card",
            "check_file",
            "halve",
            "load_weights",
            "read_card",
            "save",
            "SHIPPED",
            "unreadable",
        ],
    },
)

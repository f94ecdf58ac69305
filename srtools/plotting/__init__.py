"""One look for every figure of the book."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "images": ["show", "show_history"],
        "networks": ["draw_model"],
    },
)

"""The library that finds rotation axes and rings: optional, since it brings Numba."""

from importlib import import_module


def algotom(module: str):
    """Import a module of ``algotom``, or say how to get it."""
    try:
        return import_module(f"algotom.{module}")
    except ImportError as error:
        raise ImportError(
            "expected the library algotom, which finds rotation axes and rings: "
            "pip install algotom"
        ) from error

"""Deep learning for X-ray tomography, in small readable modules."""

__version__ = "0.1.0"

"""A measured scan: from raw counts to line integrals, an axis, a volume, a verdict."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "angles": ["missing_wedge"],
        "axis": ["axis_by_mass", "axis_by_row", "find_axis"],
        "corrections": ["flat_field", "remove_air", "remove_rings"],
        "judging": ["held_out", "misfit", "tune_by_views"],
        "measured": ["Scan"],
        "phase": ["paganin"],
        "reading": ["read_scan"],
        "splitting": ["SplitViews"],
        "stacks": ["Stack"],
        "volume": ["reconstruct"],
        "widening": ["fold", "pad"],
    },
)

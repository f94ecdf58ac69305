"""X-ray diffraction tomography: phases, patterns, a reactor bed, its measurement."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bed": ["ParticleBed", "SPACING", "TUBE"],
        "corrections": [
            "centre",
            "find_offset",
            "remove_air",
            "remove_hot_spots",
            "remove_rings",
            "scale",
            "unmix",
        ],
        "measurement": ["measure", "move", "Scan"],
        "phases": ["Phase", "PHASES"],
        "powder": [
            "air",
            "amorphous",
            "CAGLIOTI",
            "form_factor",
            "mean_patterns",
            "N_CHANNELS",
            "patterns",
            "reflections",
            "two_theta",
            "WAVELENGTH",
        ],
        "slices": ["ATTENUATION", "COMPONENTS", "downsample", "Layer"],
    },
)

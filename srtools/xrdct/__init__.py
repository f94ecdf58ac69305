"""X-ray diffraction tomography: phases, patterns, a reactor bed, its measurement."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bed": ["ParticleBed", "SPACING", "TUBE"],
        "corrections": [
            "centre",
            "find_offset",
            "normalise_total",
            "remove_air",
            "remove_hot_spots",
            "remove_rings",
            "unmix",
        ],
        "measurement": ["measure", "Measurement"],
        "phases": ["Phase", "PHASES"],
        "powder": [
            "air",
            "amorphous",
            "CAGLIOTI",
            "channel_angles",
            "form_factor",
            "mean_patterns",
            "N_CHANNELS",
            "patterns",
            "reflections",
            "WAVELENGTH",
        ],
        "slices": ["ATTENUATION", "BedSlice", "COMPONENTS", "downsample"],
    },
)

"""What the pages share: claims, trainings, recipes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "claims": ["claim"],
        "many_views": [
            "ATTENUATION",
            "many_views_key",
            "PHOTONS",
            "tv_many_views",
            "unet_many_views",
        ],
        "places": ["cache_folder", "repository", "scale"],
        "recipes": ["Recipe", "RECIPES", "shapes_task", "Task", "train"],
        "training": ["trained", "Training", "tuned"],
    },
)

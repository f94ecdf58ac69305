"""Segmentation: patches of large images, losses, inference, and what to beat."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "baselines": [
            "fit_forest",
            "forest_probabilities",
            "otsu",
            "otsu_levels",
            "pixel_features",
            "random_forest",
            "sample_pixels",
            "tune_forest",
            "tune_otsu",
            "tune_threshold",
        ],
        "going_on": ["fit_resumable"],
        "inference": ["inference_binary_segmentation", "predict_image", "with_scaling"],
        "losses": [
            "balanced_cross_entropy",
            "BalancedCrossEntropy",
            "dice_loss",
            "weighted_cross_entropy",
            "WeightedCrossEntropy",
        ],
        "overlaps": ["batch_dice_loss", "cldice_loss", "tversky_loss"],
        "patches": ["mask_patch_from_file", "PatchDataset"],
        "seams": ["seam_error"],
        "tiles": ["check_scaling", "tile_starts", "TiledImage"],
    },
)

"""Segmentation: patches of large images, losses, inference, and what to beat."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "baselines": [
            "boosted_trees",
            "fit_trees",
            "pixel_features",
            "random_forest",
            "sample_pixels",
            "tree_probabilities",
            "tune_trees",
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
        "thresholds": ["otsu", "otsu_levels", "tune_otsu", "tune_threshold"],
        "tiles": ["check_scaling", "tile_starts", "TiledImage"],
    },
)

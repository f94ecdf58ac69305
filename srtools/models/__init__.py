"""Networks: builders that return uncompiled Keras models."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "alex_net": ["alexnet", "LocalResponseNormalization"],
        "fusion": ["fusion_net", "fusion_refine", "PhaseError"],
        "memory": ["fits", "Needs", "needs"],
        "mixed_scale": ["MixedScaleDense", "msd"],
        "noise2inverse": ["denoise_split", "SplitPatches", "train_split"],
        "passes": ["end_passes_in_time"],
        "physics_aware": [
            "BackProjection",
            "fbp_unet",
            "FilteredBackProjection",
            "learned_primal_dual",
            "Projection",
        ],
        "reconstruction": ["automap", "dense_reconstruct", "reconstruct_cnn"],
        "scale": ["check_range", "rescaled"],
        "super_resolution": ["Bicubic", "edsr", "espcn", "SubPixels"],
        "symmetries": ["mean_over_symmetries"],
        "u_net": ["unet", "unet_3layer", "unet_4layer"],
        "vae": ["CVAE", "GaussianSampling"],
        "vae_training": ["vae_inference", "vae_train"],
        "zoo": ["pretrained"],
    },
)

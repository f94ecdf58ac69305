"""Files: HDF5 libraries of pairs, folders of TIFF images."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "hdf5": [
            "CHUNK",
            "open_hdf5",
            "open_library",
            "read_pairs",
            "read_reconstruct_library",
        ],
        "tiff": [
            "build_autoencoder_data",
            "build_list_images",
            "pair_by_name",
            "read_image",
            "write_image",
        ],
    },
)

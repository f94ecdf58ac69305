"""Files: HDF5 libraries of pairs, folders of TIFF images; written whole, or not."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "atomic": ["atomic_write", "one_at_a_time", "write_once"],
        "damage": ["broken", "reading", "writing"],
        "hdf5": [
            "CHUNK",
            "create_library",
            "library_settings",
            "open_library",
            "read_pairs",
            "read_reconstruct_library",
        ],
        "npy": ["open_npy"],
        "opening": ["beside", "open_hdf5"],
        "reserving": ["check_space", "create_reserved", "reserve"],
        "settings": ["check_settings", "function_settings"],
        "tiff": [
            "build_autoencoder_data",
            "build_list_images",
            "check_pages",
            "pair_by_name",
            "read_image",
            "sort_naturally",
            "write_image",
        ],
    },
)

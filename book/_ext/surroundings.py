"""Fit the book to where it is built: on a fork, or without TensorFlow."""

import os
from importlib.util import find_spec


def _fit(app, config):
    # GitHub names the fork; elsewhere the address is that of `_config.yml`.
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        url = f"https://github.com/{repository}"
        config.html_theme_options = {**config.html_theme_options, "repository_url": url}
    if find_spec("tensorflow") is None:
        config.autodoc_mock_imports = ["keras", "tensorflow"]


def setup(app):
    """Connect to Sphinx."""
    app.connect("config-inited", _fit)
    return {"parallel_read_safe": True}

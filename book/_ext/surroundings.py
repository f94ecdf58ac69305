"""Fit the book to where it is built and read: on a fork, or without TensorFlow."""

import os
from importlib.util import find_spec


def _fit(app, config):
    # GitHub names the fork; elsewhere the address is that of `_config.yml`.
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        url = f"https://github.com/{repository}"
        config.html_theme_options = {**config.html_theme_options, "repository_url": url}
    if find_spec("tensorflow") is None:
        config.autodoc_mock_imports = ["keras", "tensorflow"]


def _lighten(app, page, template, context, doctree):
    # Jupyter Book brings Thebe along, twice: unused, and an error on the console.
    for files in ("css_files", "script_files"):
        told = [f"{file.filename} {file.attributes}".lower() for file in context[files]]
        pairs = zip(context[files], told, strict=True)
        context[files] = [file for file, text in pairs if "thebe" not in text]
    # A screen reader hears that references are a list, and what a fold holds.
    if body := context.get("body"):
        body = body.replace('role="doc-biblioentry"', 'role="listitem"')
        body = body.replace(' aria-label="Toggle hidden content"', "")
        context["body"] = body


def setup(app):
    """Connect to Sphinx."""
    app.connect("config-inited", _fit)
    app.connect("html-page-context", _lighten)
    return {"parallel_read_safe": True}

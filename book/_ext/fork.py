"""Let the launch buttons follow a fork: on GitHub the fork is named in the environment.

There is nothing to do on other machines, where `_config.yml` says the address.
"""

import os


def _follow(app, config):
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        url = f"https://github.com/{repository}"
        config.html_theme_options = {**config.html_theme_options, "repository_url": url}


def setup(app):
    """Connect to Sphinx."""
    app.connect("config-inited", _follow)
    return {"parallel_read_safe": True}

"""Fixtures of tests that train networks as pages do."""

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where networks are kept that are trained in a test; the book's are not used."""
    monkeypatch.setenv("SRTOOLS_CACHE", str(tmp_path))
    monkeypatch.delenv("SRTOOLS_TRAIN", raising=False)
    return tmp_path / "trained"


@pytest.fixture
def fits(monkeypatch):
    """The calls of ``fit`` that were made."""
    import keras  # only where it is needed: it takes seconds

    calls, fit = [], keras.Model.fit

    def counted(self, *args, **kwargs):
        calls.append(1)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", counted)
    return calls

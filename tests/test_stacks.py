import h5py
import numpy as np
import pytest

from srtools.scan.stacks import Dataset, open_dataset

ROWS = slice(1, 3)


@pytest.fixture
def whole(tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["pictures"] = np.arange(200 * 3 * 2).reshape(200, 3, 2)
    return open_dataset(tmp_path / "scan.h5", "pictures")


@pytest.mark.parametrize(
    "numbers",
    [[0, 1, 198, 199], [199, 0, 1, 1], list(range(3, 200, 8)), [7], list(range(200))],
)
def test_some_pictures_come_in_the_order_given(whole, numbers):
    some = whole.pick(numbers)
    everything = whole.read(slice(0, 3))
    np.testing.assert_array_equal(some.read(ROWS), everything[numbers, ROWS])
    part = slice(1, len(numbers))
    if numbers[part]:
        expected = everything[numbers[part], ROWS]
        np.testing.assert_array_equal(some.read(ROWS, part), expected)


def test_what_lies_far_between_is_not_read(whole, monkeypatch):
    read, spans = Dataset.read, []

    def watched(self, rows, numbers=slice(None)):
        spans.append((numbers.start, numbers.stop))
        return read(self, rows, numbers)

    monkeypatch.setattr(Dataset, "read", watched)
    whole.pick([0, 1, 198, 199]).read(ROWS)  # flats at both ends of a scan
    assert spans == [(0, 2), (198, 200)]
    spans.clear()
    whole.pick(range(3, 200, 8)).read(ROWS)  # every eighth: one go is faster
    assert spans == [(3, 196)]

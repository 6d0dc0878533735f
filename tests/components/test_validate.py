import numpy as np
import pytest

from components.serving_validator.validate import difference
from serving.signatures import LOWEST_SCORE


@pytest.mark.parametrize(
    ("scores", "expected", "largest"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([0.5, 0.25], [0.5, 0.125], 0.125),
        ([10.0, 101.0], [10.0, 100.0], 0.01),
        ([LOWEST_SCORE], [LOWEST_SCORE], 0.0),
        ([LOWEST_SCORE], [1.0], -LOWEST_SCORE),
        ([], [], 0.0),
        ([1.0], [1.0, 2.0], float("inf")),
        ([float("nan")], [1.0], float("inf")),
    ],
)
def test_difference_is_relative_above_one(scores, expected, largest):
    found = difference(np.array(scores, np.float32), np.array(expected, np.float32))
    assert found == pytest.approx(largest, rel=1e-6)

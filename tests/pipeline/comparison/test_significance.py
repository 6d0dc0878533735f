import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.comparison.significance import holm, lead


def test_a_lead_is_a_paired_t_interval():
    ahead = lead([0.5, 0.8, 0.6], [0.4, 0.5, 0.4])  # differences .1, .3, .2
    assert ahead.mean == pytest.approx(0.2)
    assert ahead.margin == pytest.approx(4.302653 * 0.1 / 3**0.5)
    assert ahead.p_value == pytest.approx(stats.ttest_rel([0.5, 0.8, 0.6], [0.4, 0.5, 0.4]).pvalue)
    assert ahead.sign == 0


def test_the_interval_decides_who_is_better():
    assert lead([0.5, 0.51, 0.5], [0.4, 0.4, 0.4]).sign == 1
    assert lead([0.4, 0.4, 0.4], [0.5, 0.51, 0.5]).sign == -1
    assert lead([0.4, 0.5], [0.4, 0.5]).sign == 0


def test_a_single_seed_shows_nothing():
    ahead = lead([0.5], [0.4])
    assert ahead.mean == pytest.approx(0.1)
    assert math.isnan(ahead.margin)
    assert math.isnan(ahead.p_value)
    assert ahead.sign == 0


def test_equal_differences_are_certain():
    ahead = lead([0.75, 0.5], [0.5, 0.25])
    assert (ahead.mean, ahead.margin, ahead.p_value, ahead.sign) == (0.25, 0.0, 0.0, 1)


def test_holm_multiplies_by_the_tests_that_are_left():
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": math.nan})
    assert list(corrected) == ["a", "b", "c", "d"]
    assert [corrected[name] for name in "abc"] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(corrected["d"])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_corrected_values_are_larger_and_keep_their_order(p_values):
    corrected = list(holm({str(index): p for index, p in enumerate(p_values)}).values())
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [corrected[index] for index in order] == sorted(corrected)

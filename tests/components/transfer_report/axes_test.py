import itertools

import pytest

from components.transfer_report import axes


@pytest.mark.parametrize(
    "values", [[0.957, 0.967], [0.5], [1.0, 0.999], [0.0, 0.02], [0.91, 0.958, 0.9999], [0.0, 1.0], [0.1, 0.35, 0.72]]
)
@pytest.mark.parametrize("most", [4, 6])
def test_no_value_is_at_an_edge_and_the_ticks_fit(values, most):
    (low, high), ticks = axes.span_shares(values, most)
    room = 0.05 * (high - low)
    assert low + room < min(values) and max(values) < high - room
    assert 2 <= len(ticks) <= most and high - low > 0.0099
    assert all(low <= tick <= high and 0 <= tick <= 1 for tick in ticks)
    assert len({round(b - a, 6) for a, b in itertools.pairwise(ticks)}) == 1


def test_ticks_are_round():
    assert axes.span_shares([0.957, 0.967], 7)[1] == [0.956, 0.958, 0.96, 0.962, 0.964, 0.966, 0.968]
    assert axes.span_shares([0.957, 0.967], 4)[1] == [0.96, 0.965]
    assert axes.span_shares([0.92, 0.968], 6)[1] == [0.92, 0.93, 0.94, 0.95, 0.96, 0.97]
    assert axes.span_shares([0.92, 0.968], 4)[1] == [0.92, 0.94, 0.96]

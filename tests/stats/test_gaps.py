"""Where the loss comes from."""

import numpy as np
import pytest

from perpend.stats import loss_gaps


def test_the_gaps_add_up_to_the_loss():
    coverage, chosen = np.array([0.5, 0.8, 0.9]), np.array([0.5, 0.6, 0.55])
    gaps = loss_gaps(coverage, chosen)
    assert gaps.coverage == pytest.approx([0.5, 0.2, 0.1])
    assert gaps.selection == pytest.approx([0.0, 0.2, 0.35])
    assert gaps.coverage + gaps.selection == pytest.approx(1 - chosen)


def test_shares_outside_the_unit_range_are_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        loss_gaps(1.2, 0.5)

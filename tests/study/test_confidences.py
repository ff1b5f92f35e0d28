"""Rules that read how sure the model was of each token: served where the most likely ones were kept, else left out."""

from __future__ import annotations

from pathlib import Path

from perpend.study import run_study
from tests.study.studies import spec


async def test_deepconf_is_served_where_the_most_likely_tokens_were_kept(tmp_path: Path) -> None:
    asked = ("majority", "deepconf(window=16, every=8, warm=2)")
    kept = await run_study(spec(strategies=asked, logprobs=20), tmp_path / "kept")
    (curve,) = (curve for curve in kept.tasks[0].curves if curve.family == "deepconf")
    plain = next(curve for curve in kept.tasks[0].curves if curve.family == "majority")
    error = curve.points[0].monte_carlo_error or 0.0
    assert abs(curve.points[0].accuracy - plain.points[0].accuracy) < 4 * error
    assert curve.points[-1].tokens < plain.points[-1].tokens
    without = await run_study(spec(strategies=asked), tmp_path / "without")
    assert [curve.family for curve in without.tasks[0].curves] == ["majority"]
    assert any(
        "deepconf" in finding.sentence and "most likely tokens" in finding.sentence for finding in without.findings
    )

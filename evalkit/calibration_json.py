"""How sure a model is, and whether it is right to be, as JSON."""

from __future__ import annotations

from typing import Any

from evalkit.confidence import Calibration
from evalkit.errors import UsageError
from evalkit.results import Run, estimate_to_dict, interval_to_dict
from evalkit.stats.reliability import Reliability


def describe_calibration(run: Run) -> dict[str, Any]:
    """The facts of `--calibration --json`; what is missing if nothing can be told."""
    try:
        return calibration_to_dict(run.calibration())
    except UsageError as lack:
        return {"missing": str(lack)}


def calibration_to_dict(found: Calibration) -> dict[str, Any]:
    """A calibration as JSON; shares are fractions, undefined is None."""
    return {
        "source": found.source,
        "samples": found.samples,
        "n": found.n,
        "left_out": found.left_out,
        "ties": found.ties,
        "without_pick": found.without_pick,
        "unanimous": found.unanimous,
        "unread_answers": found.unread,
        "brier": estimate_to_dict(found.brier),
        "brier_of_even_votes": found.even,
        "brier_of_pick": estimate_to_dict(found.brier_of_pick),
        "majority": {"name": found.majority_name, **(estimate_to_dict(found.majority) or {})},
        "reliability": None
        if found.reliability is None
        else reliability_to_dict(found.reliability),
    }


def reliability_to_dict(found: Reliability) -> dict[str, Any]:
    """Bins and their mean gap as JSON."""
    return {
        "bins": [
            {
                "n": each.n,
                "confidence": each.confidence,
                "accuracy": interval_to_dict(each.accuracy),
            }
            for each in found.bins
        ],
        "ece": found.ece,
        "ece_of_perfect_model": found.perfect_ece,
        "ece_of_perfect_model_95": found.perfect_ece_high,
        "beyond_chance": found.is_beyond_chance,
        "coarse": found.is_coarse,
    }

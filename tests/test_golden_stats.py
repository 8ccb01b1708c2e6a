"""Every golden value is met: computed by R, statsmodels and scikit-learn, none of it by evalkit."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from evalkit.stats.calibration import brier_of_choices, brier_top, log_loss
from evalkit.stats.clustered import clustered_difference_interval, clustered_mean
from evalkit.stats.groups import grouped_means
from evalkit.stats.intervals import Interval, clopper_pearson_interval, jeffreys_interval
from evalkit.stats.kappa import cohen_kappa
from evalkit.stats.multiplicity import benjamini_hochberg, holm
from evalkit.stats.paired_intervals import bonett_price_interval, newcombe_interval
from evalkit.stats.positions import stuart_maxwell, tabulate_letters
from evalkit.stats.power import exact_power_of_drop
from evalkit.stats.reliability import equal_mass_edges, equal_width_edges, measure_reliability
from evalkit.stats.subsets import part_error
from tests.test_intervals import GOLDEN, read_golden, wilson_of
from tests.test_paired import mcnemar_exact_of, mcnemar_midp_of, mean_t_of, tango_of
from tests.test_power import difference_of, power_of, questions_of
from tests.test_sequential import gate_of

Inputs = dict[str, Any]
Outputs = dict[str, float]


def ends_of(interval: Interval) -> Outputs:
    return {"lower": interval.low, "upper": interval.high}


def clopper_pearson_of(inputs: Inputs) -> Outputs:
    return ends_of(clopper_pearson_interval(inputs["k"], inputs["n"], level=inputs["level"]))


def jeffreys_of(inputs: Inputs) -> Outputs:
    return ends_of(jeffreys_interval(inputs["k"], inputs["n"], level=inputs["level"]))


def clustered_of(inputs: Inputs) -> Outputs:
    """The golden ends are not clipped, ours are: where they leave the range, t does without."""
    from scipy import stats

    mean = clustered_mean(inputs["y"], inputs["cluster"])
    half = float(stats.t.ppf(0.975, mean.df)) * mean.error
    ends = mean.estimate - half, mean.estimate + half
    interval = clustered_difference_interval(mean)
    clipped = max(-1.0, ends[0]), min(1.0, ends[1])
    assert (interval.low, interval.high) == pytest.approx(clipped, abs=1e-12)
    return {
        "mean": mean.estimate,
        "clusters": mean.clusters,
        "se_cr0": mean.error_cr0,
        "se_cr1": mean.error_cr1,
        "se_cr2": mean.error,
        "df_satterthwaite": mean.df,
        "ci95_lower": ends[0],
        "ci95_upper": ends[1],
    }


def macro_of(inputs: Inputs) -> Outputs:
    means = grouped_means(inputs["y"], inputs["stratum"])
    assert means.macro_error is not None
    assert means.micro_error is not None
    return {
        "mean": means.macro,
        "se": means.macro_error,
        "micro_mean": means.micro,
        "micro_se_stratified": means.micro_error,
    }


def newcombe_of(inputs: Inputs) -> Outputs:
    counts = {key: inputs[key] for key in ("both_right", "losses", "gains", "both_wrong")}
    return ends_of(newcombe_interval(**counts, confidence=inputs["level"]))


def bonett_price_of(inputs: Inputs) -> Outputs:
    n = sum(inputs[key] for key in ("both_right", "losses", "gains", "both_wrong"))
    counts = inputs["gains"], inputs["losses"], n
    return ends_of(bonett_price_interval(*counts, confidence=inputs["level"]))


def adjusted_of(inputs: Inputs) -> Outputs:
    families = {"holm": holm(inputs["p"]), "bh": benjamini_hochberg(inputs["p"])}
    return {
        f"{name}_{place}": p for name, family in families.items() for place, p in enumerate(family)
    }


def positions_of(inputs: Inputs) -> Outputs:
    table = tabulate_letters(inputs["gold"], inputs["picked"])
    test = stuart_maxwell(table)
    assert test is not None
    assert table.recall_deviation is not None
    return {
        "statistic": test.statistic,
        "df": test.df,
        "p": test.p_value,
        "recall_std_points": 100 * table.recall_deviation,
    }


def reliability_of(inputs: Inputs, edges: tuple[float, ...]) -> Outputs:
    found = measure_reliability(inputs["conf"], inputs["correct"], edges, draws=1)
    return {"ece": found.ece, "mce": found.mce}


def kappa_of(inputs: Inputs) -> Outputs:
    kappa = cohen_kappa(inputs["a"], inputs["b"])
    assert kappa is not None
    return {"kappa": kappa.estimate, "se": kappa.error}


def exact_power_of(inputs: Inputs) -> Outputs:
    return {"power_drop": exact_power_of_drop(**inputs)}


FUNCTIONS: dict[str, Callable[[Inputs], Outputs]] = {
    "wilson_ci": wilson_of,
    "clopper_pearson_ci": clopper_pearson_of,
    "jeffreys_ci": jeffreys_of,
    "mean_t_ci": mean_t_of,
    "clustered_mean": clustered_of,
    "macro_mean": macro_of,
    "mcnemar_exact": mcnemar_exact_of,
    "mcnemar_midp": mcnemar_midp_of,
    "tango_ci": tango_of,
    "newcombe_paired_ci": newcombe_of,
    "bonett_price_ci": bonett_price_of,
    "p_adjust": adjusted_of,
    "position_homogeneity": positions_of,
    "brier_top": lambda inputs: {"brier": brier_top(inputs["conf"], inputs["correct"])},
    "brier_multiclass": lambda inputs: {
        "brier_sum": brier_of_choices(inputs["probs"], inputs["y"])
    },
    "log_loss": lambda inputs: {"log_loss": log_loss(inputs["probs"], inputs["y"])},
    "ece_uniform": lambda inputs: reliability_of(inputs, equal_width_edges(inputs["bins"])),
    "ece_equal_mass": lambda inputs: reliability_of(
        inputs, equal_mass_edges(inputs["conf"], inputs["bins"])
    ),
    "cohen_kappa": kappa_of,
    "srs_fpc_mean": lambda inputs: {"se_fpc": part_error(inputs["y"], inputs["N"])},
    "power_paired": power_of,
    "n_paired": questions_of,
    "mde_paired": difference_of,
    "power_mcnemar_exact": exact_power_of,
    "gate": gate_of,
}

pytestmark = pytest.mark.skipif(
    not GOLDEN.is_file(), reason=f"the golden values are not here: {GOLDEN}"
)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_golden_value_of_a_function_is_met(function: str) -> None:
    rows = read_golden(function)
    assert rows
    for row in rows:
        value = FUNCTIONS[function](row.inputs)[row.output]
        assert abs(value - row.expected) <= row.tolerance, row.case


def test_no_golden_value_is_left_out() -> None:
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        found = Counter(row["function"] for row in csv.DictReader(file))
    assert set(found) == set(FUNCTIONS)
    assert sum(found.values()) == len(read_golden(*FUNCTIONS)) == 262

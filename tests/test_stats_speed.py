"""A million scores compare in seconds, and nothing heavy is loaded before it is needed."""

from __future__ import annotations

import pkgutil
import random
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

import evalkit.stats
from evalkit.stats.clustered import clustered_difference_interval, clustered_mean
from evalkit.stats.draws import draw_order
from evalkit.stats.groups import grouped_means
from evalkit.stats.kappa import cohen_kappa
from evalkit.stats.paired import mcnemar_midp, mean_difference_interval, tango_interval
from evalkit.stats.power import exact_power_of_drop
from evalkit.stats.reliability import equal_mass_edges, measure_reliability

MILLION = 1_000_000
HEAVY = ("numpy", "scipy", "sklearn", "pandas")


def test_no_statistics_load_anything_heavy_when_imported() -> None:
    names = [module.name for module in pkgutil.iter_modules(evalkit.stats.__path__)]
    script = "".join(f"import evalkit.stats.{name}\n" for name in names)
    script += f"import sys\nprint([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert len(names) > 20
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def differences() -> list[float]:
    rng = random.Random(1)
    return [rng.choice([-0.2, 0.0, 0.0, 0.0, 0.2]) for _ in range(MILLION)]


def count_flips(differences: list[float]) -> tuple[int, int]:
    return sum(each > 0 for each in differences), sum(each < 0 for each in differences)


@pytest.mark.parametrize(
    "compare",
    [
        mean_difference_interval,
        lambda values: tango_interval(*count_flips(values), MILLION),
        lambda values: mcnemar_midp(*count_flips(values)),
        lambda values: clustered_difference_interval(
            clustered_mean(values, [place // 7 for place in range(MILLION)])
        ),
        lambda values: grouped_means([v + 0.2 for v in values], [p % 57 for p in range(MILLION)]),
        lambda values: cohen_kappa(values, values[::-1]),
        lambda values: draw_order([1.0] * MILLION, 1),
        lambda values: measure_reliability(
            stated := [v * 2 + 0.5 for v in values], [1] * MILLION, equal_mass_edges(stated)
        ),
        lambda values: exact_power_of_drop(14_042, 0.03, 0.02),
    ],
    ids=["t", "tango", "mcnemar", "clusters", "groups", "kappa", "order", "reliability", "power"],
)
def test_a_million_scores_take_less_than_five_seconds(
    differences: list[float], compare: Callable[[list[float]], object]
) -> None:
    start = time.process_time()
    compare(differences)
    assert time.process_time() - start < 5

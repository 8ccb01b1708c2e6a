"""Imported logs compared, held against numbers that other tools make of the raw answers.

Nothing here is evalkit's but the call of `compare`: logs are opened by zipfile and json, answers
taken out by regular expressions, differences and tests are pandas' and SciPy's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from scipy import optimize, stats
from sklearn.metrics import accuracy_score, jaccard_score

import evalkit
from tests.logs.scrub import read_members

LOGS = Path(__file__).parent / "logs"
GENERATED = next((LOGS / "lm-eval").glob("samples_everyday_gen_*.jsonl"))
PICKED = next((LOGS / "lm-eval").glob("samples_everyday_mc_*.jsonl"))


def text_of(sample: Any) -> str:
    """What the model said in a sample of Inspect."""
    said = sample["output"]["choices"][0]["message"]["content"]
    return str(said if isinstance(said, str) else said[0]["text"])


def inspect_answers(name: str) -> pandas.Series[bool]:
    """Whether each answer of an Inspect log is right, by the text of the question."""
    found = {}
    for member, data in read_members(LOGS / "inspect" / name).items():
        if member.startswith("samples/"):
            sample = json.loads(data)
            [letter] = re.findall(r"ANSWER: ([A-D])", text_of(sample))
            found[sample["input"]] = letter == sample["target"]
    return pandas.Series(found)


def lm_eval_answers(path: Path, *, with_length: bool = False) -> pandas.Series[bool]:
    """The same of samples of lm-eval: by the letter in the reply, or by the likelihoods."""
    table = pandas.read_json(path, lines=True)
    table = table[table["filter"] == table["filter"].iloc[0]]
    found = {}
    for row in table.itertuples():
        doc = row.doc
        if len(row.resps) == 1:
            [letter] = re.findall(r"\(([A-D])\)", row.resps[0][0])
        else:
            likelihoods = np.array([float(reply[0][0]) for reply in row.resps])
            sizes = [len(text) for text in doc["choices"]] if with_length else 1
            letter = "ABCD"[int(np.argmax(likelihoods / np.array(sizes)))]
        found[doc["question"]] = letter == doc["answer"]
    return pandas.Series(found)


def mid_p(losses: int, gains: int) -> float:
    """McNemar's mid-p: Fagerland, Lydersen, Laake (2013), equation 2."""
    n, least = losses + gains, min(losses, gains)
    exact = stats.binomtest(least, n, 0.5).pvalue
    return min(1.0, float(exact - stats.binom.pmf(least, n, 0.5)))


def tango(losses: int, gains: int, n: int) -> tuple[float, float]:
    """Tango's score interval of 95 %, by finding where his statistic is +-1.96."""

    def statistic(delta: float) -> float:
        a, b = 2 * n, -gains - losses + (2 * n - gains + losses) * delta
        c = -losses * delta * (1 - delta)
        q = (np.sqrt(b * b - 4 * a * c) - b) / (2 * a)
        variance = n * (2 * q + delta * (1 - delta))
        return float((gains - losses - n * delta) / np.sqrt(variance))

    z, middle = float(stats.norm.ppf(0.975)), (gains - losses) / n
    low = optimize.brentq(lambda delta: statistic(delta) - z, -1 + 1e-9, middle)
    high = optimize.brentq(lambda delta: statistic(delta) + z, middle, 1 - 1e-9)
    return float(low), float(high)


def test_partial_credit_is_that_of_the_raw_answers(tmp_path: Path) -> None:
    said, right = [], []
    for member, data in sorted(read_members(LOGS / "inspect" / "several.eval").items()):
        if member.startswith("samples/"):
            sample = json.loads(data)
            [letters] = re.findall(r"ANSWER: ([A-D]+)", text_of(sample))
            said.append([letter in letters for letter in "ABCD"])
            right.append([letter in sample["target"] for letter in "ABCD"])
    [run] = evalkit.import_log(LOGS / "inspect" / "several.eval", results=tmp_path)
    assert run.summary.partial is not None
    expected = jaccard_score(np.array(right), np.array(said), average="samples")
    assert run.summary.partial.mean == pytest.approx(expected)
    assert run.summary.mean == accuracy_score(np.array(right), np.array(said))


CASES = {
    "replies": ("plain.eval", GENERATED, False),
    "shuffled": ("shuffled.eval", GENERATED, False),
    "likelihoods": ("plain.eval", PICKED, False),
    "likelihoods a character": ("plain.eval", PICKED, True),
}


@pytest.mark.parametrize("case", CASES)
def test_the_paired_result_is_that_of_the_raw_answers(case: str, tmp_path: Path) -> None:
    name, path, with_length = CASES[case]
    before, after = inspect_answers(name), lm_eval_answers(path, with_length=with_length)
    pairs = pandas.DataFrame({"before": before, "after": after})
    assert len(pairs) == len(before) == len(after) == 10
    losses = int((pairs.before & ~pairs.after).sum())
    gains = int((~pairs.before & pairs.after).sum())
    assert losses > 0

    score = "acc_norm" if with_length else None
    options = evalkit.LogOptions(columns=evalkit.LogColumns(score=score))
    [first] = evalkit.import_log(LOGS / "inspect" / name, results=tmp_path)
    [second] = evalkit.import_log(path, results=tmp_path, options=options)
    [pair] = evalkit.compare([first, second]).pairs
    found = pair.accuracy
    assert found.interval is not None
    assert (found.n, found.losses, found.gains) == (10, losses, gains)
    assert (pair.baseline.mean, pair.candidate.mean) == (before.mean(), after.mean())
    assert found.interval.estimate == pytest.approx(after.mean() - before.mean())
    assert found.p_value == pytest.approx(mid_p(losses, gains))
    expected = tango(losses, gains, 10)
    assert (found.interval.low, found.interval.high) == pytest.approx(expected, abs=1e-6)

"""Whether a model prefers some letters, told from answers in one order of the choices."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterTable:
    """How often each letter was picked where another, or the same, was right."""

    letters: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """A row for each right letter, a column for each one picked, in the order of `letters`."""
    unread: tuple[int, ...]
    """By right letter, the answers in which no letter could be read."""

    @property
    def recalls(self) -> tuple[float | None, ...]:
        """By letter, the share of its questions answered right; None if it is never right."""
        totals = [sum(row) + unread for row, unread in zip(self.counts, self.unread, strict=True)]
        return tuple(
            self.counts[place][place] / total if total else None
            for place, total in enumerate(totals)
        )

    @property
    def recall_deviation(self) -> float | None:
        """Population standard deviation of the recalls, a fraction; None if there are none."""
        recalls = [recall for recall in self.recalls if recall is not None]
        return statistics.pstdev(recalls) if recalls else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChiSquareTest:
    """A statistic and how easily it comes about by chance."""

    statistic: float
    df: int
    p_value: float


def tabulate_letters(gold: Sequence[str], picked: Sequence[str | None]) -> LetterTable:
    """Count the letters picked against the right ones.

    Args:
        gold: the right letter of each question, at least one.
        picked: the letter picked, in the same order; None if none could be read.

    Returns:
        The table of all letters that occur, sorted.

    Raises:
        ValueError: there are no questions, or lengths differ.

    Example:
        >>> table = tabulate_letters(["A", "A", "B", "B"], ["A", "B", "B", None])
        >>> table.counts, table.recalls, table.recall_deviation
        (((1, 1), (0, 1)), (0.5, 0.5), 0.0)
    """
    if not gold:
        raise ValueError("0 questions: expected at least 1")
    if len(gold) != len(picked):
        raise ValueError(f"{len(picked)} answers to {len(gold)} questions: expected as many")
    letters = tuple(sorted({*gold, *(letter for letter in picked if letter is not None)}))
    places = {letter: place for place, letter in enumerate(letters)}
    counts = [[0] * len(letters) for _ in letters]
    unread = [0] * len(letters)
    for right, letter in zip(gold, picked, strict=True):
        if letter is None:
            unread[places[right]] += 1
        else:
            counts[places[right]][places[letter]] += 1
    return LetterTable(
        letters=letters, counts=tuple(tuple(row) for row in counts), unread=tuple(unread)
    )


def stuart_maxwell(table: LetterTable) -> ChiSquareTest | None:
    """Test whether letters are picked as often as they are right.

    It needs right letters in random order: see `gold_balance` and `gold_sequence`.

    Args:
        table: of letters picked against right ones. Answers that could not be read are left out.

    Returns:
        A chi-square test with one degree of freedom less than there are letters that occur, and
        one less for each further set of letters that are never confused with the others. None if
        every letter read was right, which leaves nothing to test.

    Source:
        Stuart (1955), Biometrika 42, 412-416; Maxwell (1970), Br. J. Psychiatry 116, 651-655.

    Example:
        >>> table = tabulate_letters(["A"] * 9 + ["B"] * 9, ["A"] * 8 + ["B"] * 4 + ["A"] * 6)
        >>> test = stuart_maxwell(table)
        >>> round(test.statistic, 3), test.df, round(test.p_value, 3)
        (3.571, 1, 0.059)
    """
    import numpy as np
    from scipy.special import chdtrc

    counts = np.array(table.counts, float)
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    difference = rows - columns
    covariance = np.diag(rows + columns) - counts - counts.T
    # With all letters kept the matrix is singular, and its pseudoinverse gives the same statistic
    # as leaving out one: any one, and one of each set that was never confused with the others.
    df = int(np.linalg.matrix_rank(covariance))
    if df == 0:
        return None
    inverse = np.linalg.pinv(covariance, hermitian=True)
    statistic = float(difference @ inverse @ difference)
    return ChiSquareTest(statistic=statistic, df=df, p_value=float(chdtrc(df, statistic)))


def gold_balance(gold: Sequence[int], choices: Sequence[int]) -> ChiSquareTest | None:
    """Test whether right choices stand at every position equally often.

    Args:
        gold: the position of the right choice of each question, from 0.
        choices: how many choices each question has, more than the position; at least one question.

    Returns:
        A chi-square test of all positions that any question has; Pearson's if all have as many
        choices. None if no question has two.

    Raises:
        ValueError: there are no questions, lengths differ, or a position is outside its range.

    Example:
        >>> test = gold_balance([0] * 40 + [1] * 30 + [2] * 20 + [3] * 10, [4] * 100)
        >>> round(test.statistic, 3), test.df, round(test.p_value, 5)
        (20.0, 3, 0.00017)
    """
    import numpy as np
    from scipy.special import chdtrc

    if not gold:
        raise ValueError("0 questions: expected at least 1")
    if len(gold) != len(choices):
        raise ValueError(f"{len(choices)} numbers for {len(gold)} questions: expected as many")
    for place, count in zip(gold, choices, strict=True):
        if not 0 <= place < count:
            raise ValueError(f"position = {place}: expected 0 to {count - 1}")
    most = max(choices)
    difference, covariance = np.bincount(gold, minlength=most).astype(float), np.zeros((most, most))
    for count, questions in enumerate(np.bincount(choices)):
        if questions:
            share = np.where(np.arange(most) < count, 1 / count, 0.0)
            difference -= questions * share
            covariance += questions * (np.diag(share) - np.outer(share, share))
    df = int(np.linalg.matrix_rank(covariance))
    if df == 0:
        return None
    inverse = np.linalg.pinv(covariance, hermitian=True)
    statistic = float(difference @ inverse @ difference)
    return ChiSquareTest(statistic=statistic, df=df, p_value=float(chdtrc(df, statistic)))


def gold_sequence(gold: Sequence[int]) -> float | None:
    """Test whether right positions follow each other by chance, and not sorted or in turn.

    Args:
        gold: the position of the right choice of each question, in the order of the set.

    Returns:
        Two-sided p-value of as many neighbours alike, by the normal approximation; None if all
        positions are the same, or all different.

    Source:
        Runs of several kinds: Barton and David (1957), Biometrika 44, 168-178.

    Example:
        >>> gold_sequence([0, 1, 2, 3] * 25) < 0.001, gold_sequence([2, 0, 0, 3, 1, 2, 1, 3]) > 0.5
        (True, True)
    """
    n = len(gold)
    sizes = [gold.count(place) for place in set(gold)]
    squares, cubes = sum(size**2 for size in sizes), sum(size**3 for size in sizes)
    runs = 1 + sum(one != other for one, other in pairwise(gold))
    if n < 2 or squares in (n, n * n):
        return None
    mean = n + 1 - squares / n
    variance = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n * n * (n - 1))
    z = (runs - mean) / variance**0.5
    return 2 * statistics.NormalDist().cdf(-abs(z))

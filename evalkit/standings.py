"""All runs of one benchmark, compared: who is ahead, and whose places can't be told apart."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.run_pairs import ComparedRun, RunPair
from evalkit.stats.ranks import RankRange, find_ties, rank_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The place of a run among those of its benchmark."""

    compared: ComparedRun
    ranks: RankRange
    tied: tuple[int, ...]
    """The numbers of the runs that it is tied with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkComparison:
    """The runs of one benchmark, compared on the questions that all of them got replies to."""

    benchmark: str
    runs: tuple[ComparedRun, ...]
    """The baseline first."""
    pairs: tuple[RunPair, ...]
    """Each other run against the baseline; of all pairs, in the order of the runs."""
    n: int
    """Questions compared."""
    unanswered: int
    """Questions that all have, but not all got a reply to."""
    is_ranked: bool
    """Whether all pairs were compared."""

    @property
    def standings(self) -> tuple[Standing, ...]:
        """The runs by their scores, best first; empty if not all pairs were compared."""
        if not self.is_ranked:
            return ()
        scores = [compared.mean for compared in self.runs]
        p_values = [pair.accuracy.adjusted_p for pair in self.pairs]
        # What can't be tested tells no two apart.
        ranges = rank_ranges(scores, [1.0 if p is None else p for p in p_values])
        ties = [tuple(self.runs[place].number for place in tied) for tied in find_ties(ranges)]
        found = [
            Standing(compared=compared, ranks=ranks, tied=tied)
            for compared, ranks, tied in zip(self.runs, ranges, ties, strict=True)
        ]
        return tuple(sorted(found, key=lambda each: -each.compared.mean))

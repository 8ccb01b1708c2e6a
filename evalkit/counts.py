"""Answers counted, question after question, in a few bytes each."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import comb

from evalkit.answers import Outcome
from evalkit.id_table import IdTable
from evalkit.orders import AS_SET
from evalkit.questions import Order, Question
from evalkit.scores import (
    CODES,
    FIRST_ANSWER,
    FIRST_REPLY,
    Score,
    as_bits,
    code_of_right,
    credit,
    encode_answer,
)
from evalkit.stats.estimates import Estimate, estimate_mean
from evalkit.stats.groups import GroupedMeans
from evalkit.stats.means import gain_of_another
from evalkit.summaries import OrderSummary, Repetition, Summary

UNREAD = 0
"""Stands for all replies that name no choice, where it matters whether two are alike."""


class Marks:
    """One number for each of some questions, a few bytes each, with the clusters they come in."""

    __slots__ = ("clusters", "values")

    def __init__(self) -> None:
        self.values = array("d")
        self.clusters = array("q")
        """Empty if no two questions belong together."""

    def add(self, value: float, cluster: int | None) -> None:
        """Take a question's number; a cluster is given for all questions or for none."""
        self.values.append(value)
        if cluster is not None:
            self.clusters.append(cluster)

    def merge(self, other: Marks, cluster: int | None = None) -> None:
        """Take the numbers of other questions, as one cluster if that is named."""
        self.values += other.values
        if cluster is None:
            self.clusters += other.clusters
        else:
            self.clusters += array("q", [cluster]) * len(other.values)

    def estimate(self) -> Estimate | None:
        """Their mean; None if there are none."""
        return estimate_mean(self.values, self.clusters or None) if self.values else None


class Count:
    """The numbers of some questions, which are added one after the other.

    What is counted by a number of responses, orders or choices is a whole number until the end, so
    that the order in which questions are added changes no digit.

    Args:
        several: whether answers are sets of choices.
    """

    def __init__(self, *, several: bool = False) -> None:
        self.several = several
        self.questions = self.responses = self.correct = 0
        self.samples = 1
        self.codes = [0] * (FIRST_ANSWER + 1)
        """Responses by code, all that name a choice by one."""
        self.shares = Marks()
        """The share of correct responses to each question that got any."""
        self.credits = Marks()
        """The mean partial credit of the responses to each of them, where answers are sets."""
        self.best: Counter[int] = Counter()
        """Responses that are correct or unreadable, by the replies to their question."""
        self.right: Counter[int] = Counter()
        """Responses that are correct, by those wanted to their question."""
        self.absent: Counter[int] = Counter()
        """Responses that did not come, by the same."""
        self.sizes: Counter[int] = Counter()
        """Questions by the number of answers that have as many choices as are right."""
        self.places: Counter[tuple[int, int]] = Counter()
        """Orders by position of the right choice, or by the bits of all right positions, and by the
        orders of their question."""
        self.repeated: Counter[int] = Counter()
        """Questions with several responses, all of which came, by their orders."""
        self.scatter: Counter[int] = Counter()
        """Pairs of a right and a wrong response in the same order, by the same."""
        self.agreeing: Counter[int] = Counter()
        """Ordered pairs of responses in the same order that name the same choice, by the same."""
        self.all_right, self.flips = Marks(), Marks()
        self.by_place: dict[int, Marks] = {}

    def add(
        self,
        question: Question,
        codes: Sequence[int],
        orders: Sequence[Order | None] = AS_SET,
        cluster: int | None = None,
    ) -> None:
        """Count a question.

        Args:
            question: with its right choices.
            codes: what each of its responses amounts to, as `encode_answer` says it, order after
                order.
            orders: those in which its choices were shown.
            cluster: numbers what it shares with other questions; None: no question shares
                anything.
        """
        replied = correct = read = 0
        right = code_of_right(question, several=self.several)
        for code in codes:
            self.codes[code if code < FIRST_ANSWER else FIRST_ANSWER] += 1
            replied += code >= FIRST_REPLY
            read += code >= FIRST_ANSWER
            correct += code == right
        wanted = len(codes)
        self.samples = wanted // len(orders)
        self.questions += 1
        self.responses += wanted
        self.correct += correct
        self.right[wanted] += correct
        self.absent[wanted] += wanted - replied
        self.sizes[comb(len(question.choices), len(question.right))] += 1
        for order in orders:
            place = right - FIRST_ANSWER if order is None else self._find_place(question, order)
            self.places[place, len(orders)] += 1
        if replied:
            self.best[replied] += correct + replied - read
            self.shares.add(correct / replied, cluster)
        if replied and self.several:
            gained = math.fsum(credit(code, right) for code in codes)
            self.credits.add(gained / replied, cluster)
        if self.samples > 1 and replied == wanted:
            self._add_repeated(right, codes, len(orders))
        if len(orders) > 1:
            self._add_orders(question, codes, orders, cluster, is_whole=replied == wanted)

    def _find_place(self, question: Question, order: Order) -> int:
        """Where the right choice stands in an order; of sets, the bits of all right ones."""
        shown = [order.index(choice) for choice in question.right]
        return as_bits(shown) if self.several else shown[0]

    def _add_repeated(self, correct: int, codes: Sequence[int], orders: int) -> None:
        """Count how responses in the same order differ.

        Args:
            correct: the code of the correct one.
            codes: of all of them.
            orders: how many there are.
        """
        self.repeated[orders] += 1
        for start in range(0, len(codes), self.samples):
            cell = codes[start : start + self.samples]
            right = sum(code == correct for code in cell)
            picked = Counter(code for code in cell if code >= FIRST_ANSWER)
            self.scatter[orders] += right * (self.samples - right)
            self.agreeing[orders] += sum(n * (n - 1) for n in picked.values())

    def _add_orders(
        self,
        question: Question,
        codes: Sequence[int],
        orders: Sequence[Order | None],
        cluster: int | None,
        *,
        is_whole: bool,
    ) -> None:
        """Count what the order changes."""
        samples, right = self.samples, code_of_right(question, several=self.several)
        for number, order in enumerate(orders):
            cell = codes[number * samples : (number + 1) * samples]
            replies = [code for code in cell if code >= FIRST_REPLY]
            # A question with several right choices has no one place.
            if replies and question.has_one_answer:
                place = question.right[0] if order is None else order.index(question.right[0])
                correct = sum(code == right for code in replies)
                marks = self.by_place.setdefault(place, Marks())
                marks.add(correct / len(replies), cluster)
        if is_whole:
            series = [
                [code if code >= FIRST_ANSWER else UNREAD for code in codes[k::samples]]
                for k in range(samples)
            ]
            steady = sum(all(pick == right for pick in picks) for picks in series)
            flipped = sum(len(set(picks)) > 1 for picks in series)
            self.all_right.add(steady / samples, cluster)
            self.flips.add(flipped / samples, cluster)

    def merge(self, other: Count, cluster: int | None = None) -> None:
        """Count what another counts: other questions.

        Args:
            other: what was counted.
            cluster: makes them one cluster; None: their clusters stay.
        """
        self.questions += other.questions
        self.responses += other.responses
        self.correct += other.correct
        self.samples = max(self.samples, other.samples)
        self.codes = [ours + theirs for ours, theirs in zip(self.codes, other.codes, strict=True)]
        for name in ("best", "right", "absent", "sizes", "places"):
            getattr(self, name).update(getattr(other, name))
        for name in ("repeated", "scatter", "agreeing"):
            getattr(self, name).update(getattr(other, name))
        for name in ("shares", "credits", "all_right", "flips"):
            getattr(self, name).merge(getattr(other, name), cluster)
        for place, marks in other.by_place.items():
            self.by_place.setdefault(place, Marks()).merge(marks, cluster)

    def forget_clusters(self) -> None:
        """Have each question stand for itself."""
        whole = (self.shares, self.credits, self.all_right, self.flips)
        for marks in (*whole, *self.by_place.values()):
            marks.clusters = array("q")

    def summarize(self, name: str) -> Summary:
        """The numbers so far, at least one question.

        Args:
            name: what the questions have in common.
        """
        counts = {outcome: self.codes[code] for outcome, code in CODES.items()}
        estimate = self.shares.estimate()
        return Summary(
            name=name,
            questions=self.questions,
            samples=self.samples,
            wanted=self.responses,
            correct=self.correct,
            wrong=self.codes[FIRST_ANSWER] - self.correct,
            unparsed=counts[Outcome.UNPARSED],
            refused=counts[Outcome.REFUSED],
            truncated=counts[Outcome.TRUNCATED],
            failed=counts[Outcome.FAILED],
            not_asked=counts[Outcome.NOT_ASKED],
            estimate=estimate,
            partial=self.credits.estimate(),
            sensitivity=None
            if estimate is None
            else (estimate.mean, max(estimate.mean, add_shares(self.best) / estimate.n)),
            missing=(
                add_shares(self.right) / self.questions,
                add_shares(self.right + self.absent) / self.questions,
            ),
            chance=add_shares(self.sizes) / self.questions,
            most_frequent=self._find_most_frequent() / self.questions,
            repetition=None if estimate is None else self._sum_up_repeated(estimate),
            orders=self._sum_up_orders(),
        )

    def _find_most_frequent(self) -> float:
        """Questions, or shares of them, whose right choice stands where it stands most often."""
        by_place: dict[int, Counter[int]] = {}
        for (place, orders), count in self.places.items():
            by_place.setdefault(place, Counter())[orders] += count
        return max(map(add_shares, by_place.values()))

    def _sum_up_repeated(self, estimate: Estimate) -> Repetition | None:
        questions, samples = self.repeated.total(), self.samples
        if not questions:
            return None
        pairs = samples * (samples - 1) * questions
        # Answers in the other orders of the same question add to what its mean is made of.
        squares = Counter({orders**2: count for orders, count in self.scatter.items()})
        rerun_error = math.sqrt(add_shares(squares) / pairs / samples / estimate.n)
        return Repetition(
            samples=samples,
            questions=questions,
            within=add_shares(self.scatter) / pairs,
            rerun_error=rerun_error,
            agreement=add_shares(self.agreeing) / pairs,
            gain=None
            if estimate.error is None
            else gain_of_another(estimate.error, rerun_error, samples),
        )

    def _sum_up_orders(self) -> OrderSummary | None:
        if not (self.by_place or self.flips.values):
            return None
        places = ((place, self.by_place[place].estimate()) for place in sorted(self.by_place))
        return OrderSummary(
            all_right=self.all_right.estimate(),
            flips=self.flips.estimate(),
            by_place=tuple((place, found) for place, found in places if found is not None),
        )


def add_shares(counts: Mapping[int, int]) -> float:
    """The sum of counts, each divided by the number that it is counted by."""
    return math.fsum(count / size for size, count in counts.items())


class ClusterNumbers:
    """Gives questions numbers, the same to those that share a cluster."""

    def __init__(self) -> None:
        self.is_shared = False
        """Whether two questions do."""
        self._names, self._count = IdTable(), 0

    def take(self, cluster: str | None) -> int:
        """The number of the next question; without a cluster it stands for itself."""
        number, self._count = self._count, self._count + 1
        if cluster is None:
            return number
        first = self._names.get(cluster)
        if first is None:
            self._names.add(cluster, number)
            return number
        self.is_shared = True
        return first


def cluster_questions(questions: Iterable[Question]) -> array[int] | None:
    """A number for each question, the same for those that share a cluster; None if none do."""
    clusters = ClusterNumbers()
    numbers = array("q", (clusters.take(question.cluster) for question in questions))
    return numbers if clusters.is_shared else None


def average_groups(counts: Mapping[str | None, Count]) -> GroupedMeans | None:
    """The mean over groups beside that over questions; None if there are less than two groups.

    Questions without a group are one more. The error of a group whose questions come in clusters
    takes account of them; a cluster is taken to lie within one group.

    Args:
        counts: by group.
    """
    found = [each for count in counts.values() if (each := count.shares.estimate()) is not None]
    if len(found) < 2:
        return None
    n = sum(each.n for each in found)
    errors = [each.error for each in found if each.error is not None]
    is_known = len(errors) == len(found)
    weighted = (each.n * error for each, error in zip(found, errors, strict=False))
    return GroupedMeans(
        micro=math.fsum(each.n * each.mean for each in found) / n,
        micro_error=math.hypot(*weighted) / n if is_known else None,
        macro=math.fsum(each.mean for each in found) / len(found),
        macro_error=math.hypot(*errors) / len(found) if is_known else None,
        sizes=tuple(each.n for each in found),
    )


def summarize(scores: Sequence[Score], name: str = "all") -> Summary:
    """Count scores.

    Args:
        scores: at least one; of each question in the order of its orders.
        name: what they have in common.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("no scores to summarize")
    by_question: dict[str, list[Score]] = {}
    for score in scores:
        by_question.setdefault(score.question.id, []).append(score)
    questions = [found[0].question for found in by_question.values()]
    clusters = cluster_questions(questions)
    count = Count(several=scores[0].several)
    for number, found in enumerate(by_question.values()):
        count.add(
            found[0].question,
            [encode_answer(score.answer) for score in found],
            tuple(dict.fromkeys(score.order for score in found)),
            None if clusters is None else clusters[number],
        )
    return count.summarize(name)


def summarize_groups(scores: Sequence[Score]) -> tuple[Summary, ...]:
    """One summary for each group, by name; none if the questions have no groups."""
    groups: dict[str, list[Score]] = {}
    for score in scores:
        if score.question.group is not None:
            groups.setdefault(score.question.group, []).append(score)
    return tuple(summarize(groups[name], name) for name in sorted(groups))

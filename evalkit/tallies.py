"""What came of a run, a few bytes a response: everything its summary needs, and no row."""

from __future__ import annotations

import itertools
import math
import statistics
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evalkit.answers import Outcome
from evalkit.counts import ClusterNumbers, Count
from evalkit.errors import UsageError
from evalkit.models.model import Price
from evalkit.orders import Design, design_of
from evalkit.questions import Question, number_questions
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.costs import cost_of_usage, savings_of_usage
from evalkit.runs.journal import JournalRow, keep_latest
from evalkit.runs.manifest import Manifest
from evalkit.scores import (
    CODES,
    FIRST_ANSWER,
    FIRST_REPLY,
    code_of_right,
    credit,
    encode_answer,
    read_row,
)
from evalkit.summaries import Summary

USAGE_FIELDS = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "thinking_tokens",
)

NOT_ASKED, FAILED = CODES[Outcome.NOT_ASKED], CODES[Outcome.FAILED]

UNBOUND, UNBOUND_SET = 0x80, 1 << 31
"""Marks the code of a reply that does not keep to what should have bound it; and where answers are
sets of choices, whose codes take four bytes."""

FUTILE, FUTILE_SET = 0x7F, 1 << 30
"""The code of a request for more room than the endpoint gives: the reply that was cut counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A reason for which requests got no message, after all their retries."""

    kind: str
    """One word, such as "rate_limit"."""
    message: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What came of a run's questions, in their order."""

    codes: bytes | array[int]
    """What each response amounts to, sample after sample, order after order, question after
    question: see `evalkit.scores.encode_answer`. An array where answers are sets of choices."""
    design: Design
    """What is wanted of each question."""
    starts: array[int] | None = None
    """Where the codes of each question begin, and those of the last one end; None: each question
    has as many as there are samples."""
    unbound: int
    """Replies that do not keep to the schema or tool that should have bound them."""
    retakes: int
    """Replies that were cut off, so that their question was asked again."""
    models: tuple[str, ...]
    """The models that say they answered, most frequent first."""
    usage: dict[str, int]
    """Tokens of all responses, by field, as far as the endpoint counted them."""
    cost: float | None
    """Dollars for all responses; None: no price is known."""
    savings: float | None
    """Dollars that the prompt cache has saved; None: no price is known."""
    failures: tuple[Failure, ...]
    """Why requests failed, most frequent first."""

    def codes_of(self, number: int) -> Sequence[int]:
        """The codes of the responses to one question, order after order of its choices."""
        return self.codes[slice(*find_slots(self.starts, self.design.samples, number))]

    def code_of_right(self, question: Question) -> int:
        """The code of a correct response to a question."""
        return code_of_right(question, several=self.design.several)

    def credit_of(self, number: int, question: Question) -> float:
        """The mean partial credit of the responses, at least one, to one question.

        Args:
            number: of the question among those of the run.
            question: itself; answers are sets of choices.
        """
        right = self.code_of_right(question)
        codes = self.codes_of(number)
        return statistics.fmean(credit(code, right) for code in codes if code >= FIRST_REPLY)

    def list_starts(self) -> Sequence[int]:
        """Where the codes of each question begin."""
        if self.starts is None:
            return range(0, len(self.codes), self.design.samples)
        return self.starts[:-1]

    def shown_of(self, number: int, question: Question) -> list[tuple[int, int | None] | None]:
        """Where the right choice of a question stood and which position was picked, as shown.

        Returns:
            For each response wanted, both positions, the second None if the reply names no choice;
            None if no reply came.

        Raises:
            UsageError: answers are sets of choices.
        """
        if self.design.several:
            raise UsageError(
                "each answer is a set of choices, which tells nothing of a liking for one letter"
            )
        orders, found = self.design.list_orders(question), []
        for slot, code in enumerate(self.codes_of(number)):
            order = orders[slot // self.design.samples]
            places = range(len(question.choices)) if order is None else order
            picked = places.index(code - FIRST_ANSWER) if code >= FIRST_ANSWER else None
            shown = places.index(question.right[0]), picked
            found.append(shown if code >= FIRST_REPLY else None)
        return found

    def shares_correct(self, questions: Iterable[Question]) -> array[float]:
        """The share of correct responses to each question; NaN where none came.

        Args:
            questions: those of the run, in their order.
        """
        return array(
            "d",
            (
                share_of(self.codes_of(number), self.code_of_right(question))
                for number, question in enumerate(questions)
            ),
        )

    def count(
        self, questions: Iterable[Question], *, is_clustered: bool = True
    ) -> dict[str | None, Count]:
        """The numbers of each group; those of questions without one by None.

        Args:
            questions: those of the run, in their order.
            is_clustered: whether those that share a cluster are taken to stand or fall together.
        """
        # In one pass: questions may have to be read.
        clusters = ClusterNumbers()
        counts: dict[str | None, Count] = {}
        for number, question in enumerate(questions):
            count = counts.get(question.group)
            if count is None:
                count = counts[question.group] = Count(several=self.design.several)
            count.add(
                question,
                self.codes_of(number),
                self.design.list_orders(question),
                clusters.take(question.cluster) if is_clustered else None,
            )
        if not clusters.is_shared:
            for count in counts.values():
                count.forget_clusters()
        return counts


def share_of(codes: Iterable[int], right: int) -> float:
    """The share of replies that are correct; NaN if none came.

    Args:
        codes: of the responses to one question.
        right: the code of a correct one.
    """
    replies = [code for code in codes if code >= FIRST_REPLY]
    correct = sum(code == right for code in replies)
    return correct / len(replies) if replies else math.nan


def find_slots(starts: Sequence[int] | None, samples: int, number: int) -> tuple[int, int]:
    """Where the responses to a question begin and end among all."""
    if starts is None:
        return number * samples, (number + 1) * samples
    return starts[number], starts[number + 1]


def summarize_all(counts: Mapping[str | None, Count], *, by_group: bool = False) -> Summary:
    """The numbers over all questions, at least one.

    Args:
        counts: by group.
        by_group: whether each group is a cluster: for a claim about groups like these.
    """
    whole = Count(several=any(count.several for count in counts.values()))
    for number, count in enumerate(counts.values()):
        whole.merge(count, number if by_group else None)
    return whole.summarize("all")


def summarize_each(counts: Mapping[str | None, Count]) -> tuple[Summary, ...]:
    """The numbers of each group, by name; none if the questions have no groups.

    Args:
        counts: by group.
    """
    names = sorted(name for name in counts if name is not None)
    return tuple(counts[name].summarize(name) for name in names)


def tally_rows(
    rows: Iterable[JournalRow], manifest: Manifest, questions: Sequence[Question]
) -> Tally:
    """Count a journal.

    Args:
        rows: of the journal, in its order; read a second time if two rows of one request, or two
            requests for one response, both got a reply, which a sound journal does not hold.
        manifest: of the run.
        questions: of the run, in their order.
    """
    ledger = Ledger(manifest, questions)
    for row in rows:
        ledger.add(row)
    if ledger.disputed:
        ledger = Ledger(manifest, questions, disputed=ledger.disputed)
        for row in rows:
            ledger.add(row)
        ledger.settle()
    return ledger.close()


class Ledger:
    """Takes rows in the order of a journal, of which the last of each request counts.

    A place is what one request may fill: a sample of a question in one order of its choices, or the
    same asked once more with more room. Whatever needs more than the last row's code is put aside:
    the places where rows are in dispute, and rows that belong to no question.

    Args:
        manifest: of the run.
        questions: of the run, in their order.
        disputed: places whose rows are kept until `settle`.
    """

    def __init__(
        self,
        manifest: Manifest,
        questions: Sequence[Question],
        disputed: Iterable[int] = (),
    ) -> None:
        self.questions, self.form = questions, manifest.prompt
        self.design = design_of(manifest.identity)
        self.sizes = b""
        """The choices of each question, which may have to be read; empty without orders."""
        if self.design.orders is not None:
            self.sizes = bytes(len(question.choices) for question in questions)
        self.starts = self._find_starts()
        self.numbers = number_questions(questions)
        places = 2 * self._find_slots(len(questions) - 1)[1]
        several = self.design.several
        self.unbound, self.futile = (UNBOUND_SET, FUTILE_SET) if several else (UNBOUND, FUTILE)
        self.codes = make_codes(places, several=several)
        self.models = array("I", bytes(array("I").itemsize * places))
        self.model_numbers: dict[str | None, int] = {None: 0}
        self.failed: dict[int, tuple[str, tuple[str, str]]] = {}
        """Request, and kind and message of its failure, by place."""
        self.disputed = set(disputed)
        self.is_settling = bool(self.disputed)
        self.aside: dict[str, JournalRow] = {}
        """The last row of each request that is in dispute or belongs to no question."""
        self.retakes = 0
        self.totals = [0] * len(USAGE_FIELDS)
        self.costs, self.savings = array("d"), array("d")
        self.has_price = manifest.price is not None
        self.price_usage = lru_cache(maxsize=4096)(make_pricing(manifest.price))

    def add(self, row: JournalRow) -> None:
        """Take the next row."""
        place = self.find_place(row)
        if place is None or place in self.disputed:
            keep_latest(self.aside, row)
        elif self.codes[place] == NOT_ASKED or self._replaces_failure(place, row):
            self._fill(place, row)
            self._count(row)
        else:
            self.disputed.add(place)

    def settle(self) -> None:
        """Fill the places in dispute: the request that came last counts, by its last row."""
        for row in self.aside.values():
            place = self.find_place(row)
            if place is not None and not (row.is_futile and self.codes[place] != NOT_ASKED):
                self._fill(place, row)

    def close(self) -> Tally:
        """What all rows come to."""
        for row in self.aside.values():
            self._count(row)
        several, unbound = self.design.several, 0
        codes = make_codes(len(self.codes) // 2, several=several)
        served: Counter[int] = Counter()
        reasons: Counter[tuple[str, str]] = Counter()
        for slot, place in enumerate(self._final_places()):
            code = self.codes[place]
            unbound += code >= self.unbound
            code &= ~self.unbound
            codes[slot] = code
            if code == FAILED:
                reasons[self.failed[place][1]] += 1
            elif code != NOT_ASKED:
                served[self.models[place]] += 1
        names = list(self.model_numbers)
        return Tally(
            codes=bytes(codes) if isinstance(codes, bytearray) else codes,
            design=self.design,
            starts=self.starts,
            unbound=unbound,
            retakes=self.retakes,
            models=tuple(
                name for number, _ in served.most_common() if (name := names[number]) is not None
            ),
            usage=dict(zip(USAGE_FIELDS, self.totals, strict=True)),
            # Exact, so that the order in which responses came changes no digit.
            cost=math.fsum(self.costs) if self.has_price else None,
            savings=math.fsum(self.savings) if self.has_price else None,
            failures=tuple(
                Failure(kind=kind, message=message, count=count)
                for (kind, message), count in reasons.most_common()
            ),
        )

    def find_place(self, row: JournalRow) -> int | None:
        """The place that a row fills; None: it belongs to no question of the run."""
        number = self.numbers.get(row.question_id)
        if number is None:
            return None
        choices = self.sizes[number] if self.sizes else 0
        slot = self.design.find(row.question_id, choices, row.order, row.sample_index)
        return None if slot is None else 2 * (self._find_slots(number)[0] + slot) + row.is_retake

    def _find_starts(self) -> array[int] | None:
        """Where the responses to each question begin; None: each has as many as the others."""
        if self.design.orders is None:
            return None
        counts = map(self.design.count_of, self.sizes)
        return array("Q", itertools.accumulate(counts, initial=0))

    def _find_slots(self, number: int) -> tuple[int, int]:
        return find_slots(self.starts, self.design.samples, number)

    def _replaces_failure(self, place: int, row: JournalRow) -> bool:
        """Whether a place is filled by an earlier failure of the same request."""
        return place in self.failed and self.failed[place][0] == row.request_id

    def _final_places(self) -> Iterator[int]:
        """The place that counts for each response wanted."""
        for place in range(0, len(self.codes), 2):
            is_retaken = self.codes[place + 1] not in (NOT_ASKED, self.futile)
            yield place + 1 if is_retaken else place

    def _fill(self, place: int, row: JournalRow) -> None:
        """Note what a row amounts to."""
        self.failed.pop(place, None)
        if isinstance(row.result, RequestFailure):
            self.codes[place] = self.futile if row.is_futile else FAILED
            self.failed[place] = row.request_id, (row.result.kind, row.result.message)
            return
        number = self.numbers.get(row.question_id)
        assert number is not None, "it has a place"
        answer, is_bound = read_row(
            self.questions[number], row, self.form, several=self.design.several
        )
        self.codes[place] = encode_answer(answer) | (0 if is_bound else self.unbound)
        self.models[place] = self.model_numbers.setdefault(
            row.result.model, len(self.model_numbers)
        )

    def _count(self, row: JournalRow) -> None:
        """Add what a response took."""
        if not isinstance(row.result, Response):
            return
        self.retakes += row.is_retake
        counts, cost, saved = self.price_usage(row.result.usage, row.batch_id is not None)
        self.totals = [total + count for total, count in zip(self.totals, counts, strict=True)]
        if self.has_price:
            self.costs.append(cost)
            self.savings.append(saved)


def make_codes(count: int, *, several: bool) -> bytearray | array[int]:
    """Room for so many codes: a byte each, four where answers are sets of choices."""
    return array("I", bytes(4 * count)) if several else bytearray(count)


def make_pricing(
    price: Price | None,
) -> Callable[[Usage, bool], tuple[tuple[int, ...], float, float]]:
    """What to add for a response: its tokens by `USAGE_FIELDS`, its cost, what the cache saved."""

    def count_usage(usage: Usage, in_batch: bool) -> tuple[tuple[int, ...], float, float]:
        counts = tuple(getattr(usage, name) or 0 for name in USAGE_FIELDS)
        if price is None:
            return counts, 0.0, 0.0
        cost = cost_of_usage(usage, price, in_batch=in_batch)
        return counts, cost, savings_of_usage(usage, price, in_batch=in_batch)

    return count_usage

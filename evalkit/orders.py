"""How often each question is asked: with its choices in which orders, and how often in each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evalkit.answers import Answer, share_answer
from evalkit.questions import Order, Question, digest_of
from evalkit.runs.manifest import Identity, Orders
from evalkit.stats.orders import draw_orders, rotations

AS_SET: tuple[None] = (None,)
"""The set's own order alone."""

PLACED = re.compile(
    r"(?i:\b(?:all|any|both|each|either|neither|none|some|two) of the (?:above|below|others?)\b)"
    r"|\b[A-Z]\)?,? (?i:and|or|nor|&) \(?[A-Z]\b"
    r"|(?i:\b(?:choice|option|answer)s?) \(?[A-Z]\b"
)
"""A choice that speaks of other choices by their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What is wanted of each question.

    The orders of a question depend on the seed and the question alone: they are the same for every
    model, and whatever else is asked.

    Example:
        >>> q = Question(id="x", stem="?", choices=("a", "b", "c"), right=(0,))
        >>> Design(orders="cyclic").list_orders(q)
        ((0, 1, 2), (1, 2, 0), (2, 0, 1))
        >>> Design(orders="cyclic", samples=2).count(q)
        6
    """

    samples: int = 1
    """Responses in each order."""
    orders: Orders | None = None
    """So many rotations of the choices, or all of them; None: the set's own order."""
    seed: int = 0
    several: bool = False
    """Whether each answer is a set of choices, of which several may be right."""

    @property
    def is_repeated(self) -> bool:
        """Whether there may be several responses to a question."""
        return self.samples > 1 or self.orders not in (None, 1)

    def list_orders(self, question: Question) -> tuple[Order | None, ...]:
        """The orders in which the choices of a question are shown; None is the set's own.

        A question has no more orders than choices. Of each, the responses are numbered from 0.
        """
        return self.list_orders_of(question.id, len(question.choices))

    def list_orders_of(self, question_id: str, choices: int) -> tuple[Order | None, ...]:
        """The same for a question of which no more is known than its id and number of choices."""
        if self.orders is None:
            return AS_SET
        if self.orders == "cyclic" or self.orders >= choices:
            return rotate(choices)
        return draw_for(question_id, choices, self.orders, self.seed)

    def count(self, question: Question) -> int:
        """Responses wanted to a question."""
        return self.count_of(len(question.choices))

    def count_of(self, choices: int) -> int:
        """Responses wanted to a question with so many choices."""
        if self.orders is None:
            return self.samples
        return self.samples * (choices if self.orders == "cyclic" else min(self.orders, choices))

    def count_all(self, questions: Sequence[Question]) -> int:
        """Responses wanted to all of some questions, which may have to be read for it."""
        if self.orders is None:
            return self.samples * len(questions)
        return sum(map(self.count, questions))

    def count_most(self, questions: Iterable[Question]) -> int:
        """The most responses wanted to any of some questions."""
        if self.orders is None:
            return self.samples
        return max((self.count(question) for question in questions), default=self.samples)

    def find(
        self, question_id: str, choices: int, order: Order | None, sample_index: int
    ) -> int | None:
        """Which of the responses to a question it is, counted order after order.

        Args:
            question_id: of the question.
            choices: how many it has; of no account where there are no orders.
            order: of its choices.
            sample_index: among the responses in this order.

        Returns:
            A number from 0 to less than `count`; None: the design has no such response.
        """
        if not 0 <= sample_index < self.samples:
            return None
        if self.orders is None:
            return sample_index if order is None else None
        orders = self.list_orders_of(question_id, choices)
        return orders.index(order) * self.samples + sample_index if order in orders else None


def design_of(identity: Identity) -> Design:
    """The design of a run."""
    return Design(
        samples=identity.samples,
        orders=identity.orders,
        seed=identity.seed,
        several=identity.several,
    )


rotate = lru_cache(maxsize=32)(rotations)


# The rows of a question stand close to each other in a journal.
@lru_cache(maxsize=8192)
def draw_for(question_id: str, choices: int, count: int, seed: int) -> tuple[Order, ...]:
    """Some rotations of a question's choices.

    Each question has a draw of its own, so that over all of them the positions of the right choices
    are in balance.
    """
    own = int(digest_of(str(seed), question_id, "orders")[:16], 16)
    return draw_orders(rotate(choices), count, own)


def count_placed(questions: Iterable[Question]) -> int:
    """Questions with a choice that means something else, or nothing, in another order.

    Example:
        >>> choices = ("ants", "bees", "wasps", "Both A and C")
        >>> count_placed([Question(id="x", stem="?", choices=choices, right=(3,))])
        1
    """
    return sum(any(map(PLACED.search, question.choices)) for question in questions)


def restore(answer: Answer, order: Order | None) -> Answer:
    """An answer to a question in some order, with what was picked by its position in the set's own.

    Example:
        >>> from evalkit.answers import Outcome
        >>> restore(share_answer(Outcome.ANSWERED, 0), (2, 0, 1)).choice
        2
        >>> restore(share_answer(Outcome.ANSWERED, (0, 1)), (2, 0, 1)).choice
        (0, 2)
    """
    if order is None or answer.choice is None:
        return answer
    if isinstance(answer.choice, tuple):
        return share_answer(answer.outcome, tuple(sorted(order[i] for i in answer.choice)))
    return share_answer(answer.outcome, order[answer.choice])

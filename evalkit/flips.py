"""The questions that decided a gate: right in one of its runs, wrong in the other."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from evalkit.disagreements import describe_codes
from evalkit.gate_records import GateRecord, complete_shares
from evalkit.prompts import build_labels, name_places
from evalkit.results import load_run


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFlip:
    """A question whose score is not the baseline's."""

    id: str
    stem: str
    """Empty where texts are not kept."""
    before: float
    """The baseline's score, in [0, 1]."""
    after: float
    """The candidate's."""
    right: str
    """The label of the right choice, or all of them."""
    picked: str
    """What the candidate answered: a label, else an outcome such as "refused"."""

    @property
    def is_loss(self) -> bool:
        """Whether the candidate did worse."""
        return self.after < self.before

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return asdict(self)


def list_flips(record: GateRecord) -> tuple[GateFlip, ...]:
    """The flipped questions among those that a gate has used, losses first, in the gate's order.

    Args:
        record: of the gate; its candidate's folder is read.

    Raises:
        RunFormatError: the folder can't be read.
    """
    if not record.used:
        return ()
    run = load_run(record.folder)
    lot, order = record.plan.lot, record.plan.open().order
    before = dict(zip(lot.ids, lot.scores, strict=True))
    after = complete_shares(run)
    numbers = {question.id: number for number, question in enumerate(run.questions)}
    found = []
    for place in order[: record.used]:
        name = lot.ids[place]
        if math.isnan(after[name]) or after[name] == before[name]:
            continue
        question = run.questions[numbers[name]]
        codes = run.tally.codes_of(numbers[name])
        labels = build_labels(len(question.choices), run.manifest.prompt.labels)
        found.append(
            GateFlip(
                id=name,
                stem=question.stem,
                before=before[name],
                after=after[name],
                right=name_places(question.right, labels),
                picked=describe_codes(codes, labels, several=run.tally.design.several),
            )
        )
    return tuple(sorted(found, key=lambda flip: not flip.is_loss))

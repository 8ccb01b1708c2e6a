"""A run read back from its folder: scores, summary, and one table row a response."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.prompts import build_labels
from evalkit.questions import Question
from evalkit.responses import RequestFailure
from evalkit.runs.folder import JOURNAL, open_run_folder
from evalkit.runs.journal import JournalReader, JournalRow, read_journal
from evalkit.runs.manifest import Manifest
from evalkit.scores import FIRST_ANSWER, Count, Score, Summary, score_questions
from evalkit.stats.intervals import Interval
from evalkit.tallies import (
    USAGE_FIELDS,
    Failure,
    Tally,
    summarize_all,
    summarize_each,
    tally_rows,
)
from evalkit.version import __version__

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Run:
    """A run, complete or not, read with today's reader.

    Its numbers are counted already; rows and scores are read from its folder when they are first
    used, and stay in memory then.
    """

    path: Path
    """Its folder."""
    manifest: Manifest
    questions: Sequence[Question] = field(repr=False)
    """Those to be asked, in the order of the set."""
    tally: Tally = field(repr=False)
    """What came of each of them."""
    garbled_lines: tuple[int, ...] = ()
    """Lines of the journal that can't be read; their questions count as not asked."""

    @cached_property
    def rows(self) -> tuple[JournalRow, ...]:
        """The journal: also the replies that were cut off and asked again.

        Raises:
            RunError: it can't be read any more.
        """
        return read_journal(self.path / JOURNAL).rows

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """One for each question and sample, in the order of the set.

        Raises:
            RunError: the journal can't be read any more.
        """
        samples = self.manifest.identity.samples
        return score_questions(self.questions, self.rows, self.manifest.prompt, samples)

    @property
    def retakes(self) -> int:
        """Replies that were cut off, so that their question was asked again."""
        return self.tally.retakes

    @property
    def unbound(self) -> int:
        """Replies that do not keep to the schema or tool that should have bound them."""
        return self.tally.unbound

    @property
    def cost(self) -> float | None:
        """Dollars that the responses have cost, at the prices in the manifest; None: no price."""
        return self.tally.cost

    @property
    def cache_savings(self) -> float | None:
        """Dollars that the prompt cache has saved, less what writing cost extra; None: no price."""
        return self.tally.savings

    @cached_property
    def summary(self) -> Summary:
        """The numbers over all questions."""
        return summarize_all(self._counts)

    @cached_property
    def groups(self) -> tuple[Summary, ...]:
        """The numbers of each subject."""
        return summarize_each(self._counts)

    @cached_property
    def shares(self) -> array[float]:
        """The share of correct responses to each question, in the order of the set; NaN: none."""
        return self.tally.shares_correct(self.questions)

    @cached_property
    def _counts(self) -> dict[str | None, Count]:
        return self.tally.count(self.questions)

    @property
    def is_complete(self) -> bool:
        """Whether every question got a reply."""
        return self.summary.is_complete

    def models_served(self) -> tuple[str, ...]:
        """The models that say they answered, most frequent first."""
        return self.tally.models

    def usage(self) -> dict[str, int]:
        """Tokens of all responses, by field, as far as the endpoint counted them."""
        return dict(self.tally.usage)

    def failures(self) -> tuple[Failure, ...]:
        """Why requests failed, most frequent first."""
        return self.tally.failures

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json` and of summary.json; shares are fractions, undefined is None."""
        identity = self.manifest.identity
        return {
            "run_id": identity.run_id,
            "folder": str(self.path),
            "benchmark": identity.benchmark,
            "benchmark_version": identity.benchmark_version,
            "model": identity.model,
            "models_served": list(self.models_served()),
            "endpoint": identity.endpoint,
            "way": identity.way,
            "way_reason": self.manifest.way_reason,
            "shots": identity.shots,
            "samples": identity.samples,
            "unbound_replies": self.unbound,
            "retakes": self.retakes,
            "evalkit_version": __version__,
            "complete": self.is_complete,
            "left_out": self.manifest.left_out,
            "garbled_lines": list(self.garbled_lines),
            "failures": [asdict(failure) for failure in self.failures()],
            **summary_to_dict(self.summary),
            "usage": self.usage(),
            "cost": self.cost,
            "cache_savings": self.cache_savings,
            "groups": [{"group": s.name, **summary_to_dict(s)} for s in self.groups],
        }

    def to_dataframe(self) -> pandas.DataFrame:
        """One row for each response or failure, in the order of the questions.

        Returns:
            Columns `question_id`, `sample`, `group`, `benchmark`, `model`, `way`, `outcome`,
            `choice` (label picked), `right` (label of the right choice), `correct` (missing where
            no reply came), `text` (the reply, or the input of its tool call), `stop_reason`,
            `refusal_category`, `model_served`, the token counts of `usage`, `failure` (kind),
            `attempts`, `seconds`, `request_id` and `message_id` (both the endpoint's). Texts are
            `string`, counts `Int64`, `correct` is `boolean`, `seconds` `float64`; what is missing
            is NA.
        """
        import pandas

        rows = [self._to_row(score) for score in self.scores if score.row is not None]
        types = dict.fromkeys(self._columns(), "string")
        types |= dict.fromkeys((*USAGE_FIELDS, "attempts", "sample"), "Int64")
        types |= {"correct": "boolean", "seconds": "float64"}
        return pandas.DataFrame(rows, columns=list(types), dtype=object).astype(types)

    def confusion(self) -> pandas.DataFrame:
        """Right label against picked label, which shows a model's liking for a position.

        Returns:
            Counts of the questions whose reply names a choice: one row for each right label, one
            column for each label picked.
        """
        import pandas
        from sklearn.metrics import confusion_matrix

        most = max(len(question.choices) for question in self.questions)
        labels = list(build_labels(most, self.manifest.prompt.labels))
        pairs = [
            (labels[question.right[0]], labels[code - FIRST_ANSWER])
            for number, question in enumerate(self.questions)
            for code in self.tally.codes_of(number)
            if code >= FIRST_ANSWER
        ]
        # scikit-learn takes no empty lists.
        counts = confusion_matrix(*zip(*pairs, strict=True), labels=labels) if pairs else 0
        return pandas.DataFrame(
            counts,
            index=pandas.Index(labels, name="right"),
            columns=pandas.Index(labels, name="picked"),
        )

    @staticmethod
    def _columns() -> tuple[str, ...]:
        """The columns of `to_dataframe`, in order."""
        front = "question_id sample group benchmark model way outcome choice right correct text"
        middle = ("stop_reason", "refusal_category", "model_served", *USAGE_FIELDS)
        return (
            *front.split(),
            *middle,
            *("failure", "attempts", "seconds", "request_id", "message_id"),
        )

    def _to_row(self, score: Score) -> dict[str, Any]:
        """One response as a row of the table."""
        row, question, identity = score.row, score.question, self.manifest.identity
        assert row is not None
        labels = build_labels(len(question.choices), self.manifest.prompt.labels)
        choice = score.answer.choice
        facts: dict[str, Any] = {
            "question_id": question.id,
            "sample": score.sample_index,
            "group": question.group,
            "benchmark": identity.benchmark,
            "model": identity.model,
            "way": row.way,
            "outcome": score.answer.outcome.value,
            "choice": None if choice is None else labels[choice],
            "right": labels[question.right[0]],
            "correct": score.correct,
            "attempts": row.attempts,
            "seconds": row.seconds,
            "request_id": row.result.request_id,
        }
        if isinstance(row.result, RequestFailure):
            return {**facts, "failure": row.result.kind}
        return {
            **facts,
            "text": row.result.text or row.result.tool_input or "",
            "stop_reason": row.result.stop_reason,
            "refusal_category": row.result.refusal_category,
            "model_served": row.result.model,
            "message_id": row.result.message_id,
            **{name: getattr(row.result.usage, name) for name in USAGE_FIELDS},
        }


def load_run(path: Path | str, *, questions: Sequence[Question] | None = None) -> Run:
    """Read a run's folder and score its replies anew; no model is asked.

    Args:
        path: the folder.
        questions: those of the run in their order, if they are in memory already; only their
            number is compared with the manifest. None: they are read from the folder.

    Raises:
        RunFormatError: it is no run folder, or its files can't be read.
    """
    folder = open_run_folder(Path(path), questions=questions)
    reader = JournalReader(folder.journal_path)
    tally = tally_rows(reader, folder.manifest, folder.questions)
    return Run(
        path=folder.path,
        manifest=folder.manifest,
        questions=folder.questions,
        tally=tally,
        garbled_lines=tuple(reader.garbled_lines),
    )


def summary_to_dict(summary: Summary) -> dict[str, Any]:
    """A summary as JSON."""
    accuracy = summary.accuracy
    return {
        "questions": summary.questions,
        "n": summary.asked,
        "accuracy": None if accuracy is None else interval_to_dict(accuracy),
        "chance": summary.chance,
        "above_chance": summary.is_above_chance,
        "chance_corrected": None
        if accuracy is None
        else {
            "estimate": summary.correct_for_chance(accuracy.estimate),
            "low": summary.correct_for_chance(accuracy.low),
            "high": summary.correct_for_chance(accuracy.high),
        },
        "most_frequent_position": summary.most_frequent,
        "outcomes": {
            "correct": summary.correct,
            "wrong": summary.wrong,
            "unparsed": summary.unparsed,
            "refused": summary.refused,
            "truncated": summary.truncated,
            "failed": summary.failed,
            "not_asked": summary.not_asked,
        },
        "sensitivity": None if summary.sensitivity is None else list(summary.sensitivity),
        "format_decides": summary.format_decides,
        "if_missing_wrong_or_right": list(summary.missing),
    }


def interval_to_dict(interval: Interval) -> dict[str, Any]:
    """An interval as JSON."""
    return {
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "n": interval.n,
        "level": interval.level,
        "method": interval.method,
        "clusters": interval.clusters,
    }

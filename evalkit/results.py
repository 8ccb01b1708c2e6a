"""A run read back from its folder: scores, summary, and one table row a response."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from evalkit.counts import Count, average_groups, cluster_questions
from evalkit.errors import UsageError
from evalkit.frames import tabulate_confusion, tabulate_scores
from evalkit.orders import design_of
from evalkit.questions import Question
from evalkit.runs.folder import JOURNAL, open_run_folder
from evalkit.runs.gate_files import holds_gate
from evalkit.runs.journal import JournalReader, JournalRow, read_journal
from evalkit.runs.manifest import Manifest
from evalkit.scores import Score, score_questions
from evalkit.stats.estimates import Estimate
from evalkit.stats.groups import GroupedMeans
from evalkit.stats.intervals import Interval
from evalkit.summaries import OrderSummary, Repetition, Summary
from evalkit.tallies import Failure, Tally, summarize_all, summarize_each, tally_rows
from evalkit.version import __version__

if TYPE_CHECKING:
    import pandas

    from evalkit.confidence import Calibration
    from evalkit.positions import PositionBias

ClusterBy = Literal["declared", "group", "none"]
"""What stands or falls together: the questions of a passage or template that the set declares; all
questions of a group, for a claim about groups like these; or none."""


@dataclass(frozen=True)
class Run:
    """A run, complete or not, read with today's reader.

    Its numbers are counted already; rows and scores are read from its folder when they are first
    used, and stay in memory then.
    """

    path: Path
    """Its folder; of a log that is only looked at, the log."""
    manifest: Manifest = field(repr=False)
    questions: Sequence[Question] = field(repr=False)
    """Those to be asked, in the order of the set."""
    tally: Tally = field(repr=False)
    """What came of each of them."""
    garbled_lines: tuple[int, ...] = ()
    """Lines of the journal that can't be read; their questions count as not asked."""
    clustered_by: ClusterBy = "declared"
    """Which questions stand or fall together."""
    kept_in: Path | None = field(default=None, repr=False)
    """Where its files are, if not at its path: the folder that a log was read into for a while."""

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.kept_in or self.path

    @cached_property
    def rows(self) -> tuple[JournalRow, ...]:
        """The journal: also the replies that were cut off and asked again.

        Raises:
            RunError: it can't be read any more.
        """
        return read_journal(self.folder / JOURNAL).rows

    @cached_property
    def scores(self) -> tuple[Score, ...]:
        """One for each response wanted, in the order of the set.

        Those of a question stand order after order of its choices, sample after sample.

        Raises:
            RunError: the journal can't be read any more.
        """
        design = design_of(self.manifest.identity)
        return score_questions(self.questions, self.rows, self.manifest.prompt, design)

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
        found = summarize_all(self._counts, by_group=self.clustered_by == "group")
        # A gate asks the questions that are likely to flip first, and looks at each answer.
        is_stopped_early = not found.is_complete and holds_gate(self.path)
        return replace(found, is_stopped_early=is_stopped_early)

    @cached_property
    def groups(self) -> tuple[Summary, ...]:
        """The numbers of each subject."""
        is_stopped_early = self.summary.is_stopped_early
        return tuple(
            replace(each, is_stopped_early=is_stopped_early)
            for each in summarize_each(self._counts)
        )

    @cached_property
    def means(self) -> GroupedMeans | None:
        """The mean over subjects beside that over questions.

        None if there is one subject, or if a gate stopped early.
        """
        return None if self.summary.is_stopped_early else average_groups(self._counts)

    @cached_property
    def shares(self) -> array[float]:
        """The share of correct responses to each question, in the order of the set; NaN: none."""
        return self.tally.shares_correct(self.questions)

    @cached_property
    def _counts(self) -> dict[str | None, Count]:
        return self.tally.count(self.questions, is_clustered=self.clustered_by != "none")

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
            **({} if identity.origin is None else {"origin": identity.origin.to_json()}),
            "shots": identity.shots,
            "samples": identity.samples,
            "orders": identity.orders,
            "several": identity.several,
            "clustered_by": self.clustered_by,
            "unbound_replies": self.unbound,
            "retakes": self.retakes,
            "evalkit_version": __version__,
            "complete": self.is_complete,
            "left_out": self.manifest.left_out,
            "filtered_rows": self.manifest.filtered,
            "selection": self.manifest.selection or None,
            "garbled_lines": list(self.garbled_lines),
            "failures": [asdict(failure) for failure in self.failures()],
            **summary_to_dict(self.summary),
            "macro": None if self.means is None else means_to_dict(self.means),
            "usage": self.usage(),
            "cost": self.cost,
            "cache_savings": self.cache_savings,
            "groups": [{"group": s.name, **summary_to_dict(s)} for s in self.groups],
        }

    def to_dataframe(self) -> pandas.DataFrame:
        """One row for each response or failure, in the order of the questions.

        Returns:
            Columns `question_id`, `order` (by position, the label of the choice that was shown
            there; missing where the set's own order was kept), `sample`, `group`, `benchmark`,
            `model`, `way`, `outcome`, `choice` (label picked), `right` (label of the right choice),
            both in the set's own order, `shown_right` (label under which the right choice was
            shown), `correct` (missing where no reply came), `partial` (partial credit, 0 to 1,
            where answers are sets of choices, whose labels then stand one behind the other as in
            `AC`), `text` (the reply, or the input of its
            tool call), `stop_reason`, `refusal_category`, `model_served`, the token counts of
            `usage`, `failure` (kind), `attempts`, `seconds`, `request_id` and `message_id` (both
            the endpoint's). Texts are `string`, counts `Int64`, `correct` is `boolean`, `partial`
            `Float64`, `seconds` `float64`; what is missing is NA.
        """
        return tabulate_scores(self.scores, self.manifest)

    def to_markdown(self) -> str:
        """A report of this run in Markdown."""
        from evalkit.reports.report import report_of_run

        return report_of_run(self).to_markdown()

    def _repr_html_(self) -> str:
        """Findings and tables, for notebooks."""
        from evalkit.reports.report import report_of_run

        return report_of_run(self)._repr_html_()

    def confusion(self) -> pandas.DataFrame:
        """Right label against picked label, which shows a model's liking for a position.

        Returns:
            Counts of the replies that name a choice: one row for each right label, one column for
            each label picked, both as they were shown.

        Raises:
            UsageError: answers are sets of choices.
        """
        return tabulate_confusion(self.questions, self.tally, self.manifest.prompt)

    def position_bias(self) -> PositionBias | None:
        """Whether the model likes some letters more than others, told from one reply a question.

        Returns:
            None: no question got a reply, or it is not known which choices were picked.

        Raises:
            UsageError: answers are sets of choices.
        """
        from evalkit.positions import find_position_bias

        if not self.manifest.identity.knows_choices:
            return None
        return find_position_bias(self.questions, self.tally, self.manifest.prompt)

    def calibration(self) -> Calibration:
        """Whether the model is as often right as its answers to the same question agree.

        Raises:
            UsageError: there is one answer a question, they were given to several orders of its
                choices, they are sets of choices, or no question got all of its answers.
        """
        from evalkit.confidence import measure_calibration

        return measure_calibration(self.questions, self.tally, self._number_clusters())

    def _number_clusters(self) -> array[int] | None:
        """The number of the cluster of each question; None: each stands alone."""
        if self.clustered_by == "none":
            return None
        if self.clustered_by == "declared":
            return cluster_questions(self.questions)
        numbers: dict[str | None, int] = {}
        groups = (question.group for question in self.questions)
        return array("q", (numbers.setdefault(group, len(numbers)) for group in groups))


def load_run(
    path: Path | str,
    *,
    questions: Sequence[Question] | None = None,
    clustered_by: ClusterBy = "declared",
    called: Path | None = None,
) -> Run:
    """Read a run's folder and score its replies anew; no model is asked.

    Args:
        path: the folder.
        questions: those of the run in their order, if they are in memory already; only their
            number is compared with the manifest. None: they are read from the folder.
        clustered_by: which questions stand or fall together: those of a cluster that the set
            declares; those of a "group", which makes the interval a claim about groups like these
            and several times wider; or "none".
        called: what to call it, as if it were there; None: its folder.

    Raises:
        RunFormatError: it is no run folder, or its files can't be read.
        UsageError: the questions have no groups to be clustered by.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, RunSettings, run
        >>> from evalkit.testing import MessagesServer
        >>> settings = RunSettings(way="instructed", limit=10)
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     where = {"endpoint": endpoint, "results": folder, "progress": False}
        ...     path = run("everyday", "claude-haiku-4-5", settings=settings, **where).path
        ...     load_run(path).summary.accuracy.n
        10
    """
    if clustered_by not in get_args(ClusterBy):
        raise UsageError(f"cluster {clustered_by!r}: expected {', '.join(get_args(ClusterBy))}")
    folder = open_run_folder(Path(path), questions=questions)
    if clustered_by == "group" and all(question.group is None for question in folder.questions):
        raise UsageError(f"cluster group: the questions of {folder.path} have no groups")
    reader = JournalReader(folder.journal_path)
    tally = tally_rows(reader, folder.manifest, folder.questions)
    return Run(
        path=called or folder.path,
        manifest=folder.manifest,
        questions=folder.questions,
        tally=tally,
        garbled_lines=tuple(reader.garbled_lines),
        clustered_by=clustered_by,
        kept_in=None if called is None else folder.path,
    )


def summary_to_dict(summary: Summary) -> dict[str, Any]:
    """A summary as JSON."""
    estimate = summary.estimate
    accuracy = summary.accuracy
    return {
        "questions": summary.questions,
        "n": summary.asked,
        "mean": summary.mean,
        "accuracy": None if accuracy is None else interval_to_dict(accuracy),
        "standard_error": None if accuracy is None or estimate is None else estimate.error,
        "partial_credit": estimate_to_dict(summary.partial),
        "clusters": None
        if estimate is None or estimate.clusters is None
        else {
            "count": estimate.clusters,
            "df": estimate.df,
            "design_effect": estimate.design_effect,
            "rough": estimate.is_rough,
        },
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
        "rerun": None if summary.repetition is None else rerun_to_dict(summary.repetition),
        "order_effect": None if summary.orders is None else orders_to_dict(summary.orders),
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
        "stopped_early": summary.is_stopped_early,
        "if_missing_wrong_or_right": list(summary.missing),
    }


def rerun_to_dict(found: Repetition) -> dict[str, Any]:
    """How responses to the same question scatter, as JSON."""
    return {
        "samples": found.samples,
        "questions": found.questions,
        "within": found.within,
        "standard_error": found.rerun_error,
        "agreement": found.agreement,
        "gain_of_another": found.gain,
    }


def orders_to_dict(found: OrderSummary) -> dict[str, Any]:
    """What the order of the choices changes, as JSON; positions count from 0."""
    return {
        "all_right": estimate_to_dict(found.all_right),
        "flip_rate": estimate_to_dict(found.flips),
        "by_position": [
            {"position": place, **(estimate_to_dict(estimate) or {})}
            for place, estimate in found.by_place
        ],
    }


def estimate_to_dict(estimate: Estimate | None) -> dict[str, Any] | None:
    """A mean as JSON."""
    if estimate is None:
        return None
    interval = estimate.interval
    return {
        "mean": estimate.mean,
        "n": estimate.n,
        "interval": None if interval is None else interval_to_dict(interval),
    }


def means_to_dict(means: GroupedMeans) -> dict[str, Any]:
    """The mean over groups, each alike, as JSON."""
    interval = means.macro_interval()
    return {
        "groups": len(means.sizes),
        "mean": means.macro,
        "standard_error": means.macro_error,
        "interval": None if interval is None else interval_to_dict(interval),
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

"""Logs turned into run folders, to stay or for as long as they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from evalkit.answers import Answer, Outcome, share_answer
from evalkit.errors import LogError
from evalkit.importers.endings import is_log, list_logs
from evalkit.importers.files import digest_file, named_errors
from evalkit.importers.helm import list_files
from evalkit.importers.logged import SCORED, LoggedReply, LogOptions, LogRun, as_utf8
from evalkit.importers.recognizing import EXPECTED, read_log
from evalkit.importers.spool_files import SpoolFile, temporary_folder
from evalkit.prompts import PromptFormat
from evalkit.question_lines import decode_question, encode_question
from evalkit.questions import Question, QuestionSet, digest_of
from evalkit.requests import ID_LENGTH
from evalkit.responses import RequestFailure, Response
from evalkit.results import Run, load_run
from evalkit.runs.folder import MANIFEST, create_run_folder, write_whole
from evalkit.runs.journal import JournalRow, decode_row, encode_line
from evalkit.runs.manifest import Evidence, Identity, Manifest, Origin
from evalkit.stored_questions import collect_questions

MOST_RUNS = 1000
"""Runs that one log may hold; more of them is a column of something else than models."""

MOST_MISSING = 1000
"""Replies that a log may want for each that it has; more of them is a number gone wrong, and would
fill the memory."""

STRENGTH: tuple[Evidence, ...] = ("replies", "picks", "scores")
"""From what can be checked to what can't; a run is as strong as its weakest reply."""


UNSCORED = RequestFailure(kind="unscored", message="the log has neither choices nor a score")
"""Stands for a reply of which nobody can say whether it is right."""


class Spool:
    """One run of a log while it is read, in two files, so that of it only names stay in memory.

    Args:
        log: what is known of the run.
        folder: takes the files.
        number: tells the files of several runs apart.
        asked: how the log is read, where that was said; see `LogOptions.to_text`.
    """

    def __init__(self, log: LogRun, folder: Path, number: int, asked: str) -> None:
        self.log, self.asked = log, asked
        self._questions = SpoolFile(folder / f"questions-{number}.jsonl")
        self._rows = SpoolFile(folder / f"rows-{number}.jsonl")
        self._named: dict[str, str] = {}
        """The id of each question by what the log calls it and by its content."""
        self._repeats: dict[str, int] = {}
        self._replied: set[tuple[str, int]] = set()
        self.count = self.rows = self.left_out = 0
        self.several = log.several
        """Whether answers are sets of choices."""
        self._has_sets = False
        """Whether a reading is one already."""
        self.samples = log.samples
        self.evidence: Evidence = "replies"

    def add(self, reply: LoggedReply, digest: str) -> None:
        """Write a reply down.

        Raises:
            ValueError: the log holds two replies with the same number to one question.
            RunError: there is no room for it.
        """
        if not reply.question.has_one_answer:
            if reply.names_one:
                self.left_out += 1
                return
            self.several = True
        name = self._name(reply)
        key = name, reply.sample_index
        if key in self._replied:
            raise ValueError(
                f"question {reply.source.id!r} has reply {reply.sample_index + 1} twice"
            )
        self._replied.add(key)
        self.rows += 1
        self.samples = max(self.samples, reply.sample_index + 1)
        self.evidence = max(self.evidence, reply.evidence, key=STRENGTH.index)
        self._has_sets |= reply.reading is not None and isinstance(reply.reading.choice, tuple)
        row = JournalRow(
            request_id=digest_of(digest, name, str(reply.sample_index))[:ID_LENGTH],
            question_id=name,
            way=self.log.way,
            result=UNSCORED if is_unscored(reply) else reply.result,
            sample_index=reply.sample_index,
            reading=reply.reading,
            source=reply.source,
        )
        self._rows.add(encode_line(row))

    def _name(self, reply: LoggedReply) -> str:
        """The id of a reply's question, which is written down when it comes for the first time."""
        question = reply.question
        called = digest_of(reply.source.id, question.id)[:16]
        known = self._named.get(called)
        if known is not None:
            return known
        # The log may hold the same question under two names.
        number = self._repeats[question.id] = self._repeats.get(question.id, 0) + 1
        name = question.id if number == 1 else f"{question.id}-{number}"
        self._named[called] = name
        self._questions.add(encode_question(replace(question, id=name)))
        self.count += 1
        return name

    def flush(self) -> None:
        """Write down what was not written yet, before the run is stored."""
        self._questions.flush()
        self._rows.flush()

    def store(self, results: Path, path: Path, digest: str, notes: Sequence[str]) -> Run:
        """Make the folder of the run, and read it.

        Args:
            results: the folder of all runs.
            path: the log.
            digest: of the log.
            notes: what has to be known of it.

        Raises:
            RunError: the folder can't be written.
        """
        with self._questions.path.open("rb") as file:
            questions = collect_questions(map(decode_question, file), have_different_ids=True)
        manifest = self._describe(questions, path, digest, notes)
        folder = create_run_folder(results, manifest, questions)
        folder.discard_summary()
        with self._rows.path.open("rb") as file:
            write_whole(folder.journal_path, self._settle(file))
        run = load_run(folder.path, questions=questions)
        if run.is_complete:
            folder.write_summary(run.to_dict())
        return run

    def _settle(self, lines: Iterable[bytes]) -> Iterable[bytes]:
        """The rows, each reading a set of choices, or none, as is known only at the log's end."""
        if not self.several and not self._has_sets:
            return lines
        return (b"%b\n" % encode_line(self._settle_row(decode_row(line))) for line in lines)

    def _settle_row(self, row: JournalRow) -> JournalRow:
        settle = as_set if self.several else as_one
        return row if row.reading is None else replace(row, reading=settle(row.reading))

    def _describe(
        self, questions: Sequence[Question], path: Path, digest: str, notes: Sequence[str]
    ) -> Manifest:
        log, form = self.log, PromptFormat()
        identity = Identity(
            benchmark=log.benchmark,
            benchmark_version=log.benchmark_version,
            question_digest=QuestionSet(questions=questions).digest,
            model=log.model,
            endpoint=log.endpoint,
            way=log.way,
            prompt_digest=form.digest,
            shots=log.shots,
            parameters=dict(log.parameters),
            api_version="",
            limit=None,
            seed=0,
            samples=self.samples,
            several=self.several,
            origin=Origin(
                tool=log.tool,
                version=log.version,
                digest=digest,
                part=log.part,
                score=log.score,
                evidence=self.evidence,
                options=self.asked,
            ),
        )
        return Manifest(
            identity=identity,
            prompt=form,
            questions=len(questions),
            left_out=self.left_out,
            log=as_utf8(path.name),
            notes=tuple(map(as_utf8, notes)),
        )


def as_set(answer: Answer) -> Answer:
    """A reading of one choice as that of a set of it.

    Example:
        >>> as_set(share_answer(Outcome.ANSWERED, 2)).choice
        (2,)
    """
    picked = answer.choice
    return share_answer(Outcome.ANSWERED, (picked,)) if isinstance(picked, int) else answer


def as_one(answer: Answer) -> Answer:
    """A reading of a set as that of its one choice; where it has several, they name none.

    Example:
        >>> as_one(share_answer(Outcome.ANSWERED, (0, 2))).outcome.value
        'unparsed'
    """
    picked = answer.choice
    if not isinstance(picked, tuple):
        return answer
    one = len(picked) == 1
    return share_answer(Outcome.ANSWERED, picked[0]) if one else share_answer(Outcome.UNPARSED)


def is_unscored(reply: LoggedReply) -> bool:
    """Whether only a score could tell if a reply is right, and there is none: missing data."""
    told = reply.reading is not None or not isinstance(reply.result, Response)
    return not told and (reply.question.choices == SCORED or reply.evidence == "scores")


def import_log(
    path: Path | str, *, results: Path | str = "results", options: LogOptions | None = None
) -> tuple[Run, ...]:
    """Turn another tool's log into run folders; no model is asked.

    Args:
        path: the log; of HELM, the folder of a run will do.
        results: the folder of all runs. The same log, read in the same way, gives the same folders
            again.
        options: how to read it, where that can't be told from the log.

    Returns:
        Its runs: one for each model, and for each prompt if there are several.

    Raises:
        LogError: the log can't be read, or holds nothing that could be scored; nothing was written.
        MissingExtraError: it is packed by Zstandard, and the library is not installed.
        RunError: a folder can't be written, be it that of temporary files.

    Example:
        >>> from os import linesep
        >>> from tempfile import TemporaryDirectory
        >>> rows = ["question,A,B,answer,reply", "Is ice cold?,yes,no,A,A", "Is snow?,yes,no,A,B"]
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "answers.csv"
        ...     _ = path.write_text(linesep.join(rows))
        ...     [run] = import_log(path, results=Path(folder) / "results")
        >>> run.summary.accuracy.estimate
        0.5
    """
    path, results = Path(path), Path(results)
    options = options or LogOptions()
    with temporary_folder("evalkit-import-") as folder:
        digest = digest_log(path)
        notes: list[str] = []
        spools = spool_log(path, folder, digest, options, notes)
        return tuple(spool.store(results, path, digest, notes) for spool in spools)


def digest_log(path: Path) -> str:
    """SHA-256 of a log; of one in several files, of the names and digests of all.

    Raises:
        LogError: one can't be read.
    """
    files = list_files(path)
    if len(files) == 1:
        return digest_file(files[0])
    return digest_of(*(f"{file.name} {digest_file(file)}" for file in files))


def import_folder(
    folder: Path, *, results: Path, options: LogOptions, skipped: list[LogError]
) -> tuple[Run, ...]:
    """Turn all logs in a folder into run folders.

    Args:
        folder: what lies in folders in it counts only where they are a tool's own.
        results: the folder of all runs.
        options: how to read them.
        skipped: takes what is wrong with the files that can't be read, or are no logs.

    Raises:
        LogError: there is no log, or it is the folder of a run.
        RunError: a folder can't be written.
    """
    if (folder / MANIFEST).exists():
        raise LogError("is the folder of a run already", path=folder)
    runs: list[Run] = []
    for path in list_logs(folder):
        try:
            runs += import_log(path, results=results, options=options)
        except LogError as error:
            skipped.append(error)
    if not runs:
        tried = f"{count_of(skipped)}; the first: {skipped[0]}" if skipped else EXPECTED
        raise LogError(f"a folder in which no log can be read: {tried}", path=folder)
    return tuple(runs)


def count_of(skipped: Sequence[LogError]) -> str:
    """How many files were tried in vain."""
    return f"{len(skipped)} file{'' if len(skipped) == 1 else 's'} tried"


def spool_log(
    path: Path, folder: Path, digest: str, options: LogOptions, notes: list[str]
) -> list[Spool]:
    """Read a log into files, one run after the other.

    Raises:
        LogError: it can't be read, or holds nothing that could be scored.
        RunError: there is no room for what is read.
    """
    spools: dict[LogRun, Spool] = {}
    with named_errors(path):
        for log, reply in read_log(path, options, notes):
            spool = spools.get(log)
            if spool is None:
                if len(spools) == MOST_RUNS:
                    reason = (
                        f"holds more than {MOST_RUNS} runs; is {log.model!r} a model (--model)?"
                    )
                    raise LogError(reason, path=path)
                spool = spools[log] = Spool(log, folder, len(spools), options.to_text())
            try:
                spool.add(reply, digest)
            except ValueError as error:
                raise LogError(f"{error}; is the log made of several?", path=path) from error
    found = [spool for spool in spools.values() if spool.count]
    for spool in found:
        spool.flush()
        if spool.samples * spool.count > MOST_MISSING * spool.rows:
            raise LogError(
                f"{spool.samples:,} replies to each of {spool.count:,} questions are wanted and "
                f"{spool.rows:,} are there; is the log whole?",
                path=path,
            )
    if not found:
        left_out = sum(spool.left_out for spool in spools.values())
        raise LogError(
            f"all {left_out} questions have several right choices, and the tool takes only one"
            if left_out
            else "holds no replies",
            path=path,
        )
    return found


@contextmanager
def opened_runs(paths: Sequence[Path], options: LogOptions | None = None) -> Iterator[list[Run]]:
    """Runs by their folders, and those in logs, which are read into folders for a while.

    A run of a log has the log's path as its own, followed by the name of its folder where the log
    holds several.

    Args:
        paths: folders of runs, and logs of other tools.
        options: how to read the logs.

    Raises:
        LogError: a log can't be read.
        RunError: there is no room for what is read.
        RunFormatError: a folder can't be read as a run.
    """
    with temporary_folder("evalkit-logs-") as kept:
        runs: list[Run] = []
        for number, path in enumerate(paths):
            if not is_log(path):
                runs.append(load_run(path))
                continue
            folders = [
                run.path for run in import_log(path, results=kept / str(number), options=options)
            ]
            runs += [
                load_run(folder, called=path if len(folders) == 1 else path / folder.name)
                for folder in folders
            ]
        yield runs

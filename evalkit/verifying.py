"""A run's folder checked against itself: whether it still is what was written."""

from __future__ import annotations

import json
import math
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from evalkit.elicitation.asking import Asking
from evalkit.elicitation.choose import build_body, enlarge
from evalkit.errors import EvalkitError, PromptError, RunError, RunFormatError
from evalkit.gate_records import replay
from evalkit.models.catalogue import find_model
from evalkit.models.model import Capabilities
from evalkit.orders import design_of
from evalkit.prompts import build_prompt, choose_examples, rank_examples
from evalkit.questions import Question, QuestionSet, reorder
from evalkit.requests import build_request
from evalkit.results import Run, load_run
from evalkit.runs.batch_log import read_batch_log
from evalkit.runs.folder import (
    BATCHES,
    EXAMPLES,
    JOURNAL,
    MANIFEST,
    PARTS,
    QUESTIONS,
    SUMMARY,
    RunFolder,
    open_run_folder,
    read_manifest,
)
from evalkit.runs.gate_files import LOTS, RECORDS, list_records, read_record
from evalkit.runs.journal import JournalReader, JournalRow
from evalkit.runs.manifest import Manifest
from evalkit.version import __version__

DamageLevel = Literal["harmless", "repairable", "damaged"]
"""Made good already; made good by the same command again, or by `evalkit score`; not so."""

Soundness = Literal["sound", "repairable", "damaged"]
"""What all findings about a folder come to."""

RIGHTLY_DIFFERENT = ("folder", "evalkit_version")
"""What a summary says of where and by what it was written."""

TICK_ROWS = 1000

FILES = (MANIFEST, QUESTIONS, EXAMPLES, JOURNAL, SUMMARY, BATCHES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a folder that is not as it was written.

    Example:
        >>> str(Finding(file="responses.jsonl", line=7, level="repairable", text="can't be read"))
        "responses.jsonl:7: can't be read"
    """

    file: str
    level: DamageLevel
    text: str
    """What is wrong, and what to do about it."""
    line: int | None = None
    """Counted from 1."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the check of one folder came to."""

    path: Path
    """The folder; in an archive, the archive's path with the folder's behind it."""
    rows: int
    """Lines of the journal that can be read."""
    fitting: int
    """Rows whose request was built again from the folder and has the id that the row gives."""
    missing: int | None
    """Responses that are still to come; None: the journal could not be counted."""
    findings: tuple[Finding, ...]
    """In the order of the files."""
    unchecked: tuple[str, ...]
    """What could not be checked, and why."""

    @property
    def verdict(self) -> Soundness:
        """The worst of the findings; "sound" if nothing has to be done."""
        levels = {finding.level for finding in self.findings}
        if "damaged" in levels:
            return "damaged"
        return "repairable" if "repairable" in levels else "sound"

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return {
            "folder": str(self.path),
            "verdict": self.verdict,
            "rows": self.rows,
            "fitting_requests": self.fitting,
            "missing_responses": self.missing,
            "findings": [
                {"file": one.file, "line": one.line, "level": one.level, "text": one.text}
                for one in self.findings
            ],
            "not_checked": list(self.unchecked),
        }


def ignore_bytes(count: int) -> object:
    """Take the progress of a check and do nothing."""


@contextmanager
def find_folders(path: Path) -> Iterator[list[tuple[Path, Path]]]:
    """The folders of runs at a path, each with what to call it.

    Args:
        path: a run's folder, or a zip archive of one or several; they are unpacked for as long as
            the context lasts.

    Raises:
        RunFormatError: the archive can't be read, or holds no run.
    """
    if not path.is_file():
        yield [(path, path)]
        return
    with tempfile.TemporaryDirectory(prefix="evalkit-") as name:
        unpack_runs(path, Path(name))
        manifests = sorted(Path(name).rglob(MANIFEST))
        if not manifests:
            raise RunFormatError(f"{path} holds no run: no file in it is called {MANIFEST}")
        yield [(found.parent, path / found.parent.relative_to(name)) for found in manifests]


def unpack_runs(path: Path, target: Path) -> None:
    """Unpack what belongs to runs, and nothing else.

    Raises:
        RunFormatError: it is no zip archive, or one that is damaged or encrypted.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = PurePosixPath(member.filename)
                if name.name in FILES or any(map(name.match, (PARTS, RECORDS, LOTS))):
                    archive.extract(member, target)  # which keeps within the target
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError) as error:
        raise RunFormatError(f"{path} can't be read: {error}") from error


def verify_run(
    path: Path | str, *, called: Path | None = None, tick: Callable[[int], object] = ignore_bytes
) -> Verification:
    """Check a run's folder; nothing in it is changed, and nobody is asked.

    What is checked: the version of the format; the digests of settings, prompt and questions; each
    row of the journal against the request that the folder says was sent; that no request was
    answered twice; the summary and the records of gates against the journal; what a crash may have
    left. The words of a reply have no digest: a change within them is seen only where a summary or
    a gate comes out otherwise.

    Args:
        path: the folder.
        called: what to call it; None: its path.
        tick: hears how many bytes of the journal have been read since the last time.

    Example:
        >>> verify_run("nowhere").verdict
        'damaged'
    """
    return Check(Path(path), tick).run(called or Path(path))


@dataclass(kw_only=True, eq=False)
class Tried:
    """How the rows compare with requests that are built again."""

    fitting: int = 0
    others: list[int] = field(default_factory=list)
    """Lines of rows that have another id."""
    unknown: int = 0
    """Retakes for which it is not known how much room they asked for."""


class Check:
    """One folder under examination."""

    def __init__(self, path: Path, tick: Callable[[int], object]) -> None:
        self.path, self.tick = path, tick
        self.findings: list[Finding] = []
        self.unchecked: list[str] = []
        self.rows = 0
        self.missing: int | None = None
        self.tried = Tried()

    def run(self, called: Path) -> Verification:
        """Check all that can be checked."""
        folder = self._open()
        if folder is not None:
            self._check_prompt(folder.manifest)
            examples = self._check_questions(folder)
            found = self._count(folder)
            self._check_journal(folder, self._find_builder(folder, examples))
            self._check_batches(folder)
            if found is not None:
                self._check_summary(found)
            self._check_gates(folder.manifest, found)
        for part in sorted(self.path.glob(PARTS)):
            text = "left by a process that was killed while it wrote; it may be deleted"
            self._report(part.name, "repairable", text)
        return Verification(
            path=called,
            rows=self.rows,
            fitting=self.tried.fitting,
            missing=self.missing,
            findings=tuple(self.findings),
            unchecked=tuple(self.unchecked),
        )

    def _report(self, file: str, level: DamageLevel, text: str, line: int | None = None) -> None:
        self.findings.append(Finding(file=file, line=line, level=level, text=text))

    def _open(self) -> RunFolder | None:
        """The folder with its questions; None if that much can't be read."""
        try:
            read_manifest(self.path)
        except RunFormatError as error:
            self._report(MANIFEST, "damaged", reason_of(error, self.path))
            return None
        try:
            return open_run_folder(self.path)
        except RunFormatError as error:
            text = f"{reason_of(error, self.path)}; the same command writes it anew"
            self._report(QUESTIONS, "repairable", text)
            self._skip("the journal: without the questions it says nothing")
            return None

    def _count(self, folder: RunFolder) -> Run | None:
        """The run as its journal has it; None if that can't be read."""
        try:
            run = load_run(self.path, questions=folder.questions)
        except RunError:
            return None  # told by the check of the journal
        self.missing = run.summary.failed + run.summary.not_asked
        return run

    def _check_prompt(self, manifest: Manifest) -> None:
        if manifest.prompt.digest != manifest.identity.prompt_digest:
            text = f"the prompt was changed: its digest is not {manifest.identity.prompt_digest}"
            self._report(MANIFEST, "damaged", text)

    def _check_questions(self, folder: RunFolder) -> tuple[Question, ...] | None:
        """Compare the digest of questions and worked examples.

        Returns:
            The examples; None if they are not at hand.
        """
        identity = folder.manifest.identity
        examples: tuple[Question, ...] | None = ()
        if identity.shots:
            try:
                examples = folder.read_examples()
            except RunFormatError as error:
                self._report(EXAMPLES, "damaged", reason_of(error, self.path))
                return None
        if not identity.keep_text:
            self._skip("the digest of the questions: their texts are not kept")
        elif examples is None:
            self._skip(f"the digest of the questions: it covers worked examples, {NO_EXAMPLES}")
        else:
            try:
                digest = QuestionSet(questions=folder.questions, examples=examples).digest
            except ValueError as error:
                self._report(QUESTIONS, "damaged", str(error))
                return examples
            if digest != identity.question_digest:
                text = f"the questions were changed: their digest is not {identity.question_digest}"
                self._report(QUESTIONS, "damaged", text)
        return examples

    def _skip(self, what: str) -> None:
        self.unchecked.append(what)

    def _find_builder(
        self, folder: RunFolder, examples: tuple[Question, ...] | None
    ) -> RequestBuilder | None:
        """What builds the requests again; None if the folder does not say enough for that."""
        if folder.manifest.identity.origin is not None:
            self._skip("rows against their request ids: another tool asked")
            return None
        if not folder.manifest.identity.keep_text:
            self._skip("rows against their request ids: texts of questions are not kept")
            return None
        if examples is None:
            self._skip("rows against their request ids: their worked examples are not at hand")
            return None
        return RequestBuilder(folder.manifest, examples)

    def _check_journal(self, folder: RunFolder, builder: RequestBuilder | None) -> None:
        """Read the journal, and judge each of its rows."""
        reader = JournalReader(folder.journal_path)
        by_id = {question.id: question for question in folder.questions}
        answered: dict[str, int] = {}
        told = 0
        try:
            for row in reader:
                self._check_row(row, reader.line, folder.manifest, by_id, answered, builder)
                self.rows += 1
                if self.rows % TICK_ROWS == 0:
                    self.tick(reader.good_bytes - told)
                    told = reader.good_bytes
            size = folder.journal_path.stat().st_size
        except FileNotFoundError:
            return  # nothing was answered yet
        except (RunError, OSError) as error:
            self._report(JOURNAL, "damaged", reason_of(error, folder.journal_path))
            return
        self.tick(size - told)
        level: DamageLevel = "repairable" if self.missing else "harmless"
        for line in reader.garbled_lines:
            self._report(JOURNAL, level, GARBLED if self.missing else ASKED_AGAIN, line)
        if size > reader.good_bytes:
            self._report(JOURNAL, "repairable", TORN, reader.line + 1)
        self._judge_others(folder.manifest)
        self.findings.sort(key=lambda one: (FILES.index(one.file), one.line or 0))

    def _check_row(
        self,
        row: JournalRow,
        line: int,
        manifest: Manifest,
        by_id: Mapping[str, Question],
        answered: dict[str, int],
        builder: RequestBuilder | None,
    ) -> None:
        identity = manifest.identity
        question = by_id.get(row.question_id)
        if question is None:
            text = f"the run has no question {row.question_id!r}; the row counts for nothing"
            self._report(JOURNAL, "damaged", text, line)
        elif not 0 <= row.sample_index < identity.samples:
            text = f"sample {row.sample_index}: the run has {identity.samples} a question, from 0"
            self._report(JOURNAL, "damaged", text, line)
        elif row.order not in design_of(identity).list_orders(question):
            text = f"order {row.order} of the choices: the run does not show this question in it"
            self._report(JOURNAL, "damaged", text, line)
        elif row.way != identity.way:
            text = f"asked by way {row.way}, the run by {identity.way}"
            self._report(JOURNAL, "damaged", text, line)
        elif builder is not None:
            fits = builder.fits(row, question)
            self.tried.fitting += fits is True
            self.tried.unknown += fits is None
            if fits is False:
                self.tried.others.append(line)
        if row.is_response and (first := answered.setdefault(row.request_id, line)) != line:
            text = f"the request of line {first} has a second response here, which counts"
            self._report(JOURNAL, "damaged", text, line)

    def _judge_others(self, manifest: Manifest) -> None:
        """Say of rows whose request has another id what that means."""
        tried = self.tried
        if tried.others and not tried.fitting and manifest.evalkit_version != __version__:
            self._skip(
                f"rows against their request ids: evalkit {manifest.evalkit_version} built other "
                f"requests than {__version__} does"
            )
            return
        if tried.unknown:
            self._skip(
                f"{tried.unknown} requests for more room: the manifest does not say how much the "
                "model has"
            )
        for line in tried.others:
            self._report(JOURNAL, "damaged", OTHER_REQUEST, line)

    def _check_batches(self, folder: RunFolder) -> None:
        try:
            read_batch_log(folder.batch_log_path)
        except RunError as error:
            self._report(BATCHES, "damaged", reason_of(error, folder.batch_log_path))

    def _check_summary(self, run: Run) -> None:
        """Compare the summary with the journal, of which it was made."""
        path = self.path / SUMMARY
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            if run.is_complete:
                self._report(SUMMARY, "repairable", f"is missing, the run complete; {SCORE_AGAIN}")
            return
        except (OSError, ValueError) as error:
            self._report(SUMMARY, "repairable", f"can't be read: {error}; {SCORE_AGAIN}")
            return
        names = differing_names(found, json.loads(json.dumps(run.to_dict())))
        if names:
            self._report(SUMMARY, *self._judge_summary(found, names))

    def _judge_summary(self, found: Any, names: Sequence[str]) -> tuple[DamageLevel, str]:
        what = f"is not what the journal says: {', '.join(names)}"
        version = found.get("evalkit_version") if isinstance(found, dict) else None
        if version != __version__:
            return "repairable", f"{what}; evalkit {version} read the replies; {SCORE_AGAIN}"
        if any(one.file == JOURNAL and one.level != "damaged" for one in self.findings):
            return "repairable", f"{what}, of which lines can't be read; the same command goes on"
        return "damaged", f"{what}; {SCORE_AGAIN}"

    def _check_gates(self, manifest: Manifest, run: Run | None) -> None:
        """Read the records of gates, and compute each again if the journal can be read."""
        for path in list_records(self.path):
            try:
                read_record(path)
                differences = () if run is None else replay(path, run).differences
            except RunFormatError as error:
                # A record's reason may lie in the questions beside it.
                text = reason_of(error, path).removeprefix(f"{self.path}/")
                self._report(path.name, "damaged", text.removeprefix(f"{self.path} "))
                continue
            if differences:
                self._judge_gate(path.name, manifest, differences)

    def _judge_gate(self, file: str, manifest: Manifest, differences: Sequence[str]) -> None:
        names = ", ".join(each.partition(":")[0] for each in differences)
        what = f"is not what the journal says: {names}"
        if manifest.evalkit_version != __version__:
            self._skip(f"{file}, which {what}: evalkit {manifest.evalkit_version} read the replies")
        elif any(one.file == JOURNAL and one.level != "damaged" for one in self.findings):
            self._report(file, "repairable", f"{what}, of which lines can't be read")
        else:
            self._report(file, "damaged", f"{what}; `evalkit gate --replay` shows both")


NO_EXAMPLES = "which evalkit did not keep when this run began"
GARBLED = "can't be read; the same command asks its question again"
ASKED_AGAIN = "can't be read; every question has a reply all the same"
TORN = "is torn, as a crash leaves it; the same command cuts it off and asks its question again"
OTHER_REQUEST = "the request of this question, sample and run has another id: it was changed"
SCORE_AGAIN = "`evalkit score` writes it anew"


class RequestBuilder:
    """Builds the requests of a run again from what its folder says.

    Args:
        manifest: of the run.
        examples: the set's worked examples, in its order.
    """

    def __init__(self, manifest: Manifest, examples: Sequence[Question]) -> None:
        self.manifest, self.identity = manifest, manifest.identity
        self.ranked = rank_examples(examples, self.identity.seed, several=self.identity.several)
        # What depends on the model stands in the parameters.
        self.asking = Asking(model=self.identity.model, capabilities=Capabilities())
        self.most = {manifest.max_output_tokens, find_model(self.identity.model).max_output_tokens}

    def fits(self, row: JournalRow, question: Question) -> bool | None:
        """Whether a row's request has the id that it should have.

        Returns:
            None: it asked for more room, and it is not known how much there was.
        """
        try:
            shown = question if row.order is None else reorder(question, row.order)
            bodies = self._list_bodies(shown, is_retake=row.is_retake)
        except PromptError:
            return False  # such as more worked examples than there are
        for body in bodies:
            request = build_request(question.id, row.way, body, row.sample_index, row.order)
            if request.id == row.request_id:
                return True
        return None if row.is_retake and self.manifest.max_output_tokens is None else False

    def _list_bodies(self, question: Question, *, is_retake: bool) -> list[Mapping[str, Any]]:
        """The bodies that may have been sent."""
        body = self.build_body(question)
        if not is_retake:
            return [body]
        larger = [enlarge(body, most) for most in self.most | {None}]
        return [each for each in larger if each is not None]

    def choose_examples(self, question: Question) -> tuple[Question, ...]:
        """The worked examples that are shown before a question.

        Raises:
            PromptError: there are fewer than the run shows.
        """
        return choose_examples(question, self.ranked, self.identity.shots)

    def build_body(self, question: Question) -> Mapping[str, Any]:
        """The body of the first request for a question, in the order in which it is given.

        Raises:
            PromptError: there are fewer worked examples than the run shows.
        """
        shown = self.choose_examples(question)
        prompt = build_prompt(question, self.manifest.prompt, shown, several=self.identity.several)
        built = build_body(self.identity.way, prompt, self.asking)
        own = ("model", "system", "messages", "tools")
        shared = {k: v for k, v in self.identity.parameters.items() if k != "resize"}
        if "format" in shared.get("output_config", {}):
            form = built["output_config"]["format"]
            shared["output_config"] = {**shared["output_config"], "format": form}
        return {**{name: built[name] for name in own if name in built}, **shared}


def differing_names(found: Any, expected: Mapping[str, Any]) -> list[str]:
    """The facts of a summary that are not as they should be, of those that both have.

    Numbers may differ by rounding, which other versions do otherwise.
    """
    if not isinstance(found, dict):
        return ["all of it"]
    names = [name for name in found if name in expected and name not in RIGHTLY_DIFFERENT]
    return [name for name in names if not is_same(found[name], expected[name])]


def is_same(found: Any, expected: Any) -> bool:
    """Whether two values of JSON are the same, numbers to nine digits."""
    if isinstance(expected, dict) and isinstance(found, dict):
        shared = found.keys() & expected.keys()
        return all(is_same(found[name], expected[name]) for name in shared)
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(is_same, found, expected))
    if type(expected) is float and type(found) in (int, float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
    return bool(found == expected)


def reason_of(error: EvalkitError | OSError, path: Path) -> str:
    """What an error says, without the path that stands before it anyway."""
    return str(error).removeprefix(f"{path} ").removeprefix(f"{path}:").removeprefix(f"{MANIFEST} ")

"""The questions of a report with all responses, as the parts of a page that scripts read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

from evalkit.images import Image
from evalkit.json_text import encode_json
from evalkit.questions import Question
from evalkit.reports.html.families import Family, Interest, find_families, rank_questions
from evalkit.reports.html.journal_index import JournalIndex
from evalkit.reports.html.packing import bound_size, build_element, pack, pack_json
from evalkit.reports.html.pictures import Pictures
from evalkit.reports.html.sent import SentRequests, SharedList
from evalkit.reports.html.texts import shorten, tidy
from evalkit.reports.report import Report
from evalkit.reports.tables import clean
from evalkit.responses import RequestFailure
from evalkit.results import Run
from evalkit.runs.journal import JournalRow
from evalkit.scores import FIRST_ANSWER

QUESTIONS_AT_ONCE = 64
"""Of one part; those of a part are unpacked together."""

BYTES_AT_ONCE = 500_000
"""Of JSON; a part is closed when it holds more."""

ROOM_FOR_COUNTS = 100
"""Bytes by which the counts of questions may grow, and the marks around the frame."""

PICTURES_SHARE = 0.5
"""Of the room, so much is for pictures."""


def list_parts(report: Report, *, room: int, seed: int = 0) -> Iterator[bytes]:
    """The parts of a page that hold the questions, one after the other.

    Questions that flipped come first, then others that not all runs have right, then a random
    sample of the rest, until the room is filled.

    Args:
        report: whose runs' journals are read.
        room: bytes that the parts may take.
        seed: of the sample.

    Raises:
        RunError: a journal can't be read.
    """
    families = list(find_families(report))
    ranked = rank_questions(families, seed)
    total = Counter(interest for interest, _, _ in ranked)
    shown: Counter[Interest] = Counter()
    pictures = Pictures(int(room * PICTURES_SHARE))
    with ExitStack() as stack:
        writer = PartWriter(report.runs, families, stack)

        def describe_frame() -> dict[str, Any]:
            return {
                **describe_runs(report, families),
                "requests": writer.shared.values,
                "shown": [[shown[each], total[each]] for each in Interest],
                "picturesLeftOut": pictures.left_out,
            }

        # The frame comes last; what it needs is kept free, whatever is added to it.
        room -= bound_size(len(encode_json(describe_frame())) + ROOM_FOR_COUNTS)
        for part in writer.list_parts(ranked):
            elements = [
                *(element for image in part.images for element in pictures.add(image)),
                build_element("questions", part.questions),
                build_element("replies", part.replies),
            ]
            room -= sum(map(len, elements))
            if room < bound_size(writer.shared.size):
                break
            yield from elements
            shown.update(part.interests)
        yield build_element("frame", pack(describe_frame()))


def describe_runs(report: Report, families: Sequence[Family]) -> dict[str, Any]:
    """The runs, and which of them share questions or were compared."""
    return {
        "runs": [
            describe_run(number, name, run)
            for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1)
        ],
        "families": [
            {"benchmark": clean(family.benchmark), "runs": family.places} for family in families
        ],
        "pairs": list_pairs(report),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some questions, packed."""

    questions: bytes
    """What a list of them needs."""
    replies: bytes
    """What is needed when one is opened."""
    images: tuple[Image, ...]
    """The pictures that they show."""
    interests: tuple[Interest, ...]
    """Why each of them is worth a look."""


class PartWriter:
    """Reads questions with their responses, and packs some at a time.

    Args:
        runs: of the report.
        families: of these runs.
        stack: closes the journals.
    """

    def __init__(self, runs: Sequence[Run], families: Sequence[Family], stack: ExitStack) -> None:
        self.families, self.shared = families, SharedList()
        self.journals = [stack.enter_context(closing(JournalIndex(run))) for run in runs]
        self.sent = [SentRequests(run, self.shared) for run in runs]

    def list_parts(self, ranked: Sequence[tuple[Interest, int, int]]) -> Iterator[Part]:
        """All questions, in this order.

        Args:
            ranked: for each why it is worth a look, its family, and its place there.
        """
        questions: list[bytes] = []
        replies: list[bytes] = []
        images: dict[str, Image] = {}
        interests: list[Interest] = []
        size = 0
        for number, (interest, family, place) in enumerate(ranked, 1):
            question = self.families[family].find_question(place)
            questions.append(encode_json(self._describe_question(family, place, question)))
            reply, shown = self._describe_replies(self.families[family], place, question)
            replies.append(encode_json(reply))
            images |= {image.digest: image for image in shown}
            interests.append(interest)
            size += len(questions[-1]) + len(replies[-1])
            if len(questions) == QUESTIONS_AT_ONCE or size > BYTES_AT_ONCE or number == len(ranked):
                yield Part(
                    questions=pack_list(questions),
                    replies=pack_list(replies),
                    images=tuple(images.values()),
                    interests=tuple(interests),
                )
                questions, replies, images, interests, size = [], [], {}, [], 0

    def _describe_question(self, family: int, place: int, question: Question) -> list[Any]:
        """What a list needs: see `QUESTION` in questions.js."""
        found = self.families[family]
        codes = [
            None if each is None else [encode_for_page(code, run) for code in each]
            for run, each in zip(found.runs, found.find_codes(place), strict=True)
        ]
        stem, length = shorten(question.stem)
        return [
            family,
            place,
            clean(question.id),
            None if question.group is None else clean(question.group),
            stem,
            length,
            [shorten(choice)[0] for choice in question.choices],
            question.right,
            codes,
        ]

    def _describe_replies(
        self, family: Family, place: int, question: Question
    ) -> tuple[list[Any], list[Image]]:
        """What the page shows of a question when it is opened, and the pictures in it."""
        sent: list[Any] = []
        rows: list[Any] = []
        images: list[Image] = []
        for member, numbers in zip(family.places, family.numbers, strict=True):
            number = numbers[place]
            if number < 0:
                sent.append(None)
                rows.append(None)
                continue
            request, shown = self.sent[member].describe(question)
            sent.append(request)
            images += shown
            rows.append([describe_row(row) for row in self.journals[member].find_rows(number)])
        cluster = None if question.cluster is None else clean(question.cluster)
        return [sent, rows, cluster], images


def encode_for_page(code: int, run: Run) -> int:
    """What a response amounts to, where a page does not know how its run was asked.

    Returns:
        Of a set of choices a negative number with a bit for each of them, else the code.
    """
    is_set = run.manifest.identity.several and code >= FIRST_ANSWER
    return FIRST_ANSWER - code if is_set else code


def pack_list(encoded: Sequence[bytes]) -> bytes:
    """Values that are JSON already, as one list."""
    return pack_json(b"[%b]" % b",".join(encoded))


def describe_row(row: JournalRow | None) -> list[Any] | None:
    """A row of a journal: see `ROW` in questions.js."""
    if row is None:
        return None
    beside: list[Any] = [row.order, row.sample_index, row.is_retake, row.attempts, row.seconds]
    beside += [row.finished_at, tidy_or_none(row.batch_id)]
    result = row.result
    if isinstance(result, RequestFailure):
        text, length = shorten(result.message)
        failure = [clean(result.kind), result.status, tidy_or_none(result.request_id)]
        return [*beside, text, length, failure]
    text, length = shorten(result.text)
    usage = result.usage
    return [
        *beside,
        text,
        length,
        None,
        tidy_or_none(result.stop_reason),
        tidy_or_none(result.model),
        tidy_or_none(result.request_id),
        tidy_or_none(result.message_id),
        tidy_or_none(result.refusal_category),
        None if result.tool_input is None else shorten(result.tool_input)[0],
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_creation_input_tokens,
        usage.cache_read_input_tokens,
        usage.thinking_tokens,
    ]


def tidy_or_none(text: str | None) -> str | None:
    """A text as the page can show it, if there is one."""
    return None if text is None else clean(text)


def describe_run(number: int, name: str, run: Run) -> dict[str, Any]:
    """What the page needs to know of a run to show what it was asked."""
    identity, form = run.manifest.identity, run.manifest.prompt
    return {
        "number": number,
        "name": clean(name),
        "way": identity.asked,
        "labels": form.labels,
        "template": tidy(form.template),
        "choice": tidy(form.choice),
        "keepsText": identity.keep_text,
        "samples": identity.samples,
    }


def list_pairs(report: Report) -> list[list[int]]:
    """The pairs compared, by the places of baseline and candidate in the report."""
    places = {id(run): place for place, run in enumerate(report.runs)}
    pairs = () if report.comparison is None else report.comparison.pairs
    return [[places[id(run)] for run in (pair.baseline.run, pair.candidate.run)] for pair in pairs]

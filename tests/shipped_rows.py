"""Rows as the hub and authors' files have them, one for each shipped definition; all invented.

What gives an answer away holds the word SECRET, which no prompt may show.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One row of a set where and how it is published, and the question that it is.

    Args:
        file: its path in the hub's repository, or below the data folder; it may be in an archive.
        row: the row.
        stem: the question's text.
        choices: in the file's order.
        right: positions of the right choices in that order.
        group: the subject.
        cluster: what it shares with others.
        left_out: rows of the same file that are no questions of the set.
        images: how many pictures go with it.
    """

    file: str
    row: Row
    stem: str
    choices: tuple[str, ...]
    right: tuple[int, ...]
    group: str | None = None
    cluster: str | None = None
    left_out: Sequence[Row] = ()
    images: int = 0


COLOURS = ("red", "green", "blue", "white")
LETTERED = {"A": "red", "B": "green", "C": "blue", "D": "white"}
SEVERAL = {"text": list(COLOURS), "label": ["A", "B", "C", "D"]}
PASSAGE = "A blue kite flew over the hill."
ASKED = "Which colour has the kite?"
READ = f"{PASSAGE}\n\n{ASKED}"


def draw(colour: str) -> dict[str, Any]:
    """A picture as the hub's tables hold it."""
    file = io.BytesIO()
    PIL.Image.new("RGB", (4, 4), colour).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": f"{colour}.png"}


def table(config: str = "", split: str = "test") -> str:
    """Where the hub keeps the only part of a split."""
    return f"{config or 'data'}/{split}-00000-of-00001.parquet"


def copied(config: str = "default", split: str = "test") -> str:
    """Where the hub's own Parquet copy has it."""
    return f"{config}/{split}/0000.parquet"


def exam(file: str, row: Row, **others: Any) -> Sample:
    """A question on a kite's colour, blue, with four choices."""
    values = {"stem": ASKED, "choices": COLOURS, "right": (2,), **others}
    return Sample(file=file, row=row, **values)


def yes_or_no(file: str, row: Row, choices: tuple[str, ...], **others: Any) -> Sample:
    """A question whose choices are the same in every row, the second right."""
    return Sample(file=file, row=row, choices=choices, right=(1,), **others)


def list_mmlu() -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    row = {"question": ASKED, "subject": "x", "choices": list(COLOURS), "answer": 2}
    subjects: dict[str, Any] = {
        "mmlu": "anatomy",
        "mmlu-stem": "college_physics",
        "mmlu-humanities": "world_religions",
        "mmlu-social-sciences": "sociology",
        "mmlu-other": "virology",
    }
    for name, subject in subjects.items():
        yield name, exam(table(subject), row, group=subject.replace("_", " "))
    checked: dict[str, Any] = {
        **row,
        "error_type": "ok",
        "source": None,
        "correct_answer": "SECRET",
    }
    faulty: dict[str, Any] = {**checked, "error_type": "wrong_groundtruth"}
    file = copied("high_school_physics")
    yield "mmlu-redux", exam(file, checked, group="high school physics", left_out=[faulty])
    facts: dict[str, Any] = {"answer_index": 2, "cot_content": "SECRET", "src": "own"}
    pro: dict[str, Any] = {
        "question_id": 7,
        "question": ASKED,
        "options": list(COLOURS),
        "answer": "C",
    }
    yield "mmlu-pro", exam(table(), {**pro, **facts, "category": "art"}, group="art")


def list_translations(names: Sequence[str]) -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    asked: dict[str, Any] = {"Question": ASKED, **LETTERED, "Answer": "C", "Subject": "art"}
    named = {f"option_{letter.lower()}": text for letter, text in LETTERED.items()}
    extra: dict[str, Any] = {"subject_category": "STEM", "cultural_sensitivity_label": "-"}
    full: dict[str, Any] = {
        "sample_id": "art/test/0",
        "subject": "art",
        "question": ASKED,
        "answer": "C",
    }
    passage: dict[str, Any] = {
        "flores_passage": PASSAGE,
        "question": ASKED,
        "link": "https://a.example/1",
    }
    for name in names:
        prefix, _, code = name.partition("-")
        if prefix == "mmmlu":
            language, _, country = code.partition("-")
            file = f"test/mmlu_{language.upper()}-{country.upper()}.csv"
            yield name, exam(file, {"": 0, **asked}, group="art")
        elif name.startswith("global-mmlu-"):
            language = name.removeprefix("global-mmlu-")
            yield name, exam(table(language), {**full, **named, **extra}, group="art")
        elif prefix == "belebele":
            language, _, script = code.partition("-")
            answers = {f"mc_answer{n}": text for n, text in enumerate(COLOURS, 1)}
            row = {**passage, **answers, "correct_answer_num": "3", "question_number": 1}
            file = f"data/{language}_{script.capitalize()}.jsonl"
            yield name, exam(file, row, stem=READ, cluster=passage["link"])


def list_agieval(names: Sequence[str]) -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    fives = ("lsat-ar", "lsat-lr", "lsat-rc", "aqua-rat")
    for name in names:
        task = name.removeprefix("agieval-")
        if task != name:
            texts = [*COLOURS, "black"] if task in fives else COLOURS
            options = [f"({letter}){text}" for letter, text in zip("ABCDE", texts, strict=False)]
            row = {"passage": PASSAGE, "question": ASKED, "options": options, "label": "C"}
            yield (
                name,
                exam(
                    f"agieval/data/v1/{task}.jsonl",
                    {**row, "answer": None, "other": {"solution": "SECRET"}},
                    stem=READ,
                    choices=tuple(texts),
                    cluster=PASSAGE,
                ),
            )


def list_bbh() -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    lettered = f"{ASKED}\nOptions:\n(A) red\n(B) green\n(C) blue\n(D) white"
    broken = [{"input": lettered, "target": "dearth, wind, & fire"}]
    file = table("logical_deduction_three_objects")
    row = {"input": lettered, "target": "(C)"}
    group = "logical deduction three objects"
    yield "bbh", exam(file, row, left_out=broken, group=group)
    for task, choices in {
        "causal_judgement": ("Yes", "No"),
        "navigate": ("Yes", "No"),
        "web_of_lies": ("Yes", "No"),
        "sports_understanding": ("yes", "no"),
        "formal_fallacies": ("valid", "invalid"),
        "boolean_expressions": ("True", "False"),
    }.items():
        row = {"input": "Is it so?", "target": choices[1]}
        name = f"bbh-{task.replace('_', '-')}"
        yield name, yes_or_no(table(task), row, choices, stem="Is it so?")


def list_science() -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    for name, config in {"arc-easy": "ARC-Easy", "arc-challenge": "ARC-Challenge"}.items():
        numbered = {"text": list(COLOURS), "label": ["1", "2", "3", "4"]}
        row = {"id": "q1", "question": ASKED, "choices": numbered, "answerKey": "3"}
        yield name, exam(table(config), row)
    book: dict[str, Any] = {
        "id": "q1",
        "question_stem": ASKED,
        "choices": SEVERAL,
        "answerKey": " C",
    }
    yield "openbookqa", exam(table("main"), book)
    eight: dict[str, Any] = {"text": [*COLOURS, "a", "b", "c", "d"], "label": list("ABCDEFGH")}
    key: dict[str, Any] = {"id": "q1", "question": ASKED, "choices": eight, "answerKey": "C"}
    facts: dict[str, Any] = {"fact1": "SECRET", "fact2": "SECRET", "combinedfact": "SECRET"}
    file = table(split="validation")
    yield "qasc", exam(file, {**key, **facts}, choices=tuple(eight["text"]))
    science: dict[str, Any] = {"question": ASKED, "correct_answer": "blue", "support": PASSAGE}
    wrong: dict[str, Any] = {"distractor1": "red", "distractor2": "green", "distractor3": "white"}
    first = ("blue", "red", "green", "white")
    row = {**science, **wrong}
    yield "sciq", exam(table(), row, stem=READ, choices=first, right=(0,))
    for part in ("diamond", "main", "extended"):
        row = {
            "Record ID": "rec1",
            "Question": ASKED,
            "Correct Answer": "blue\n",
            "Incorrect Answer 1": "red",
            "Incorrect Answer 2": "green",
            "Incorrect Answer 3": "white",
            "Explanation": "SECRET",
            "High-level domain": "Physics",
            "Subdomain": "Optics",
            "Canary String": "",
        }
        file = f"gpqa_{part}.csv"
        yield f"gpqa-{part}", exam(file, row, choices=first, right=(0,), group="Physics")
    hazard: dict[str, Any] = {"question": ASKED, "choices": list(COLOURS), "answer": 2}
    for name in ("wmdp-bio", "wmdp-chem", "wmdp-cyber"):
        yield name, exam(table(name), hazard)
    graduate: dict[str, Any] = {
        "uuid": "u1",
        "question": ASKED,
        "options": list(COLOURS),
        "answer": "blue",
    }
    fields: dict[str, Any] = {
        "answer_letter": "C",
        "discipline": "Art",
        "field": "x",
        "subfield": "y",
    }
    row = {**graduate, **fields, "difficulty": "easy", "is_calculation": False}
    yield "supergpqa", exam("SuperGPQA-all.jsonl", row, group="Art")
    rational: dict[str, Any] = {"question": ASKED, "rationale": "SECRET", "correct": "C"}
    options = ["A)red", "B)green", "C)blue", "D)white", "E)black"]
    file = table("raw", "validation")
    yield "aqua", exam(file, {**rational, "options": options}, choices=(*COLOURS, "black"))


def list_medicine() -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    row = {"question": ASKED, "answer": "blue", "options": LETTERED, "answer_idx": "C"}
    file = "phrases_no_exclude_test.jsonl"
    yield "medqa", exam(file, {**row, "meta_info": "step1"}, group="step1")
    entrance: dict[str, Any] = {"id": "q1", "question": ASKED, "cop": 2, "choice_type": "single"}
    options = dict(zip(("opa", "opb", "opc", "opd"), COLOURS, strict=True))
    facts: dict[str, Any] = {"exp": "SECRET", "subject_name": "Eyes", "topic_name": None}
    file = table(split="validation")
    yield "medmcqa", exam(file, {**entrance, **options, **facts}, group="Eyes")
    abstract: dict[str, Any] = {
        "contexts": [PASSAGE, "It flew low."],
        "labels": ["A", "B"],
        "meshes": [],
    }
    answers: dict[str, Any] = {"long_answer": "SECRET", "final_decision": "no"}
    row = {"pubid": 7, "question": ASKED, "context": abstract, **answers}
    stem = f"{PASSAGE}\n\nIt flew low.\n\n{ASKED}"
    file = table("pqa_labeled", "train")
    yield "pubmedqa", yes_or_no(file, row, ("yes", "no", "maybe"), stem=stem)
    items = [{"aid": n, "atext": text} for n, text in enumerate(COLOURS, 1)]
    row = {"qid": "1", "qtext": ASKED, "ra": 3, "answers": items, "category": "nursing"}
    dated: dict[str, Any] = {**row, "name": "exam", "year": "2013"}
    yield "headqa-en", exam(copied("en"), dated, group="nursing")


def list_reading() -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    article: dict[str, Any] = {"article": PASSAGE, "question": ASKED, "options": list(COLOURS)}
    for part in ("high", "middle"):
        row = {"example_id": f"{part}1.txt", **article, "answer": "C"}
        yield f"race-{part}", exam(table(part), row, stem=READ, cluster=f"{part}1.txt")
    row = {**article, "answer": 2, "hard": True}
    file = table(split="validation")
    yield "quality", exam(file, row, stem=READ, cluster=PASSAGE)
    row = {"question": "is it so", "answer": True, "passage": PASSAGE}
    stem = f"{PASSAGE}\n\nis it so"
    yield "boolq", yes_or_no(file, row, ("no", "yes"), stem=stem, cluster=PASSAGE)
    logic: dict[str, Any] = {"context": PASSAGE, "query": ASKED, "options": list(COLOURS)}
    row = {**logic, "correct_option": 2}
    yield "logiqa", exam(copied(), row, stem=READ, cluster=PASSAGE)
    answers: dict[str, Any] = {f"answer{n}": text for n, text in enumerate(COLOURS)}
    row = {"id": "q1", "context": PASSAGE, "question": ASKED, **answers, "label": 2}
    file = copied(split="validation")
    yield "cosmosqa", exam(file, row, stem=READ, cluster=PASSAGE)
    lines = ["W: Is it red?", "M: It is blue."]
    row = {"dialogue_id": "d1", "id": 1, "dialogue": lines, "question": ASKED, "answer": "blue"}
    stem = f"{lines[0]}\n\n{lines[1]}\n\n{ASKED}"
    three = ("red", "green", "blue")
    row = {**row, "choice": list(three)}
    yield "dream", exam(copied(), row, stem=stem, choices=three, cluster="d1")
    story: dict[str, Any] = {"narrative": PASSAGE, "question": ASKED, "answer_choice": "blue"}
    for part, file, choices in (
        ("murder-mysteries", "murder_mystery.csv", ("red", "blue")),
        ("object-placements", "object_placements.csv", COLOURS),
        ("team-allocation", "team_allocation.csv", three),
    ):
        place = choices.index("blue")
        row = {**story, "choices": repr(list(choices)), "answer_index": place}
        others = {"choices": choices, "right": (place,), "cluster": PASSAGE}
        yield f"musr-{part}", exam(file, row, stem=READ, **others)


def list_common_sense() -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    keyed: dict[str, Any] = {**SEVERAL, "text": [*COLOURS, "black"], "label": list("ABCDE")}
    row = {"id": "q1", "question": ASKED, "question_concept": "kite", "choices": keyed}
    file = table(split="validation")
    choices: tuple[str, ...] = (*COLOURS, "black")
    yield "commonsenseqa", exam(file, {**row, "answerKey": "C"}, choices=choices)
    row = {
        "ind": 4,
        "activity_label": "Flying kites",
        "ctx_a": "A man holds a kite.",
        "ctx_b": "he",
        "ctx": "A man holds a kite. he",
        "endings": ["eats it.", ", sings.", "lets it fly.", "sleeps."],
        "source_id": "video~1",
        "split": "val",
        "split_type": "indomain",
        "label": "2",
    }
    stem = "Flying kites\n\nA man holds a kite. he"
    endings = tuple(row["endings"])
    yield "hellaswag", exam(file, row, stem=stem, choices=endings, cluster="video~1")
    sentence = "Ann gave Eve the kite because _ liked it."
    row = {"sentence": sentence, "option1": "Ann", "option2": "Eve", "answer": "2"}
    file = table("winogrande_xl", "validation")
    yield "winogrande", yes_or_no(file, row, ("Ann", "Eve"), stem=sentence)
    row = {"goal": "Fly a kite", "sol1": "dig", "sol2": "run", "label": 1}
    file = "plain_text/piqa-validation.parquet"
    yield "piqa", yes_or_no(file, row, ("dig", "run"), stem="Fly a kite")
    social: dict[str, Any] = {"context": PASSAGE, "question": ASKED, "label": "3"}
    answers: dict[str, Any] = {"answerA": "red", "answerB": "green", "answerC": "blue"}
    file, three = copied(split="validation"), ("red", "green", "blue")
    yield (
        "siqa",
        exam(file, {**social, **answers}, stem=READ, choices=three, cluster=PASSAGE),
    )
    cause: dict[str, Any] = {
        "premise": "The kite fell.",
        "choice1": "It rained.",
        "choice2": "No wind.",
    }
    row = {**cause, "question": "cause", "idx": 4, "label": 1}
    stem, choices = "The kite fell.\n\ncause", ("It rained.", "No wind.")
    yield "copa", yes_or_no(table("copa", "validation"), row, choices, stem=stem)
    row = {**row, "changed": False}
    yield (
        "xcopa",
        yes_or_no(table("sw"), row, choices, stem=stem, group="sw", cluster="4"),
    )
    bias: dict[str, Any] = {
        "example_id": 1,
        "question_index": "7",
        "category": "Age",
        "context": PASSAGE,
    }
    answers = {"ans0": "red", "ans1": "Not known", "ans2": "blue", "label": 1}
    kinds: dict[str, Any] = {
        "question_polarity": "neg",
        "context_condition": "ambig",
        "question": ASKED,
    }
    row = {**bias, **answers, **kinds, "answer_info": {"ans0": ["x"]}}
    choices = ("red", "Not known", "blue")
    others: dict[str, Any] = {"group": "Age", "cluster": "Age / 7"}
    yield "bbq", yes_or_no("data/Age.jsonl", row, choices, stem=READ, **others)
    targets: dict[str, Any] = {"choices": ["Blue.", "Red.", "Green."], "labels": [1, 0, 0]}
    row = {"question": ASKED, "mc1_targets": targets, "mc2_targets": targets}
    file = table("multiple_choice", "validation")
    texts = tuple(targets["choices"])
    yield "truthfulqa-mc1", exam(file, row, choices=texts, right=(0,))


def list_chinese() -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    row = {"Question": ASKED, **LETTERED, "Answer": "C"}
    file = "cmmlu_v1_0_1.zip/test/college_medicine.csv"
    yield "cmmlu", exam(file, {"": 0, **row}, group="college medicine")
    row = {"id": 0, "question": ASKED, **LETTERED, "answer": "C", "explanation": "SECRET"}
    yield "ceval", exam(table("high_school_physics", "val"), row, group="high school physics")


def list_pictures() -> Iterator[tuple[str, Sample]]:
    row: dict[str, Any]
    blank: dict[str, Any] = {f"image_{n}": None for n in range(1, 8)}
    row = {
        "id": "validation_Art_1",
        "question": "What is in <image 1>?",
        "options": repr(["red", "green", "<image 2>", "white"]),
        "explanation": "SECRET",
        **blank,
        "image_1": draw("red"),
        "image_2": draw("blue"),
        "topic_difficulty": "Easy",
        "question_type": "multiple-choice",
        "subfield": "Drawing",
        "answer": "C",
    }
    stem, choices = row["question"], ("red", "green", "<image 2>", "white")
    others: dict[str, Any] = {"stem": stem, "choices": choices, "group": "Art", "images": 2}
    open_row: dict[str, Any] = {
        **row,
        "id": "validation_Art_2",
        "question_type": "open",
        "options": "[]",
    }
    yield "mmmu", exam(table("Art", "validation"), row, left_out=[open_row], **others)
    for count in ("4", "10"):
        file = table(f"standard ({count} options)")
        yield f"mmmu-pro-{count}", exam(file, {**row, "subject": "Art"}, **others)
    school: dict[str, Any] = {
        "image": draw("blue"),
        "question": ASKED,
        "choices": list(COLOURS),
        "answer": 2,
    }
    facts: dict[str, Any] = {
        "hint": PASSAGE,
        "lecture": "SECRET",
        "solution": "SECRET",
        "task": "closed choice",
    }
    kinds: dict[str, Any] = {
        "grade": "grade2",
        "subject": "art",
        "topic": "x",
        "category": "y",
        "skill": "z",
    }
    row = {**school, **facts, **kinds}
    file = "data/test-00000-of-00001-f0e719df791966ff.parquet"
    yield "scienceqa", exam(file, row, stem=READ, group="art", images=1)
    plain = [{**row, "image": None}]
    others = {"stem": READ, "group": "art", "images": 1}
    yield "scienceqa-pictures", exam(file, row, left_out=plain, **others)
    row = {"question": ASKED, "options": list(COLOURS), "answer": "2", "image": draw("blue")}
    yield "ai2d", exam(table(), row, images=1)
    row = {
        "pid": "7",
        "question": ASKED,
        "image": "images/7.jpg",
        "decoded_image": draw("blue"),
        "choices": list(COLOURS),
        "unit": None,
        "answer": "blue",
        "question_type": "multi_choice",
        "metadata": {"task": "figures", "source": "own"},
        "query": "SECRET",
    }
    free = [{**row, "pid": "8", "question_type": "free_form", "choices": None, "answer": "3"}]
    file = "data/testmini-00000-of-00001-725687bf7a18d64b.parquet"
    yield "mathvista", exam(file, row, left_out=free, group="figures", images=1)
    told: dict[str, Any] = {"caption": "SECRET", "explanation": "SECRET", "deduction": "SECRET"}
    puzzle: dict[str, Any] = {"question": ASKED, "options": list(COLOURS), "answer": "blue", **told}
    yield "puzzlevqa", exam(table(split="train"), {**puzzle, "image": draw("blue")}, images=1)


def list_samples(names: Sequence[str]) -> dict[str, Sample]:
    """The sample of each definition."""
    return dict(
        (
            *list_mmlu(),
            *list_translations(names),
            *list_agieval(names),
            *list_bbh(),
            *list_science(),
            *list_medicine(),
            *list_reading(),
            *list_common_sense(),
            *list_chinese(),
            *list_pictures(),
        )
    )


def pack(file: str, rows: Sequence[Row]) -> bytes:
    """Rows as the bytes of a file with this name."""
    if file.endswith(".parquet"):
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), sink)
        return sink.getvalue()
    if file.endswith(".jsonl"):
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()

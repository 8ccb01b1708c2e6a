"""`evalkit show`: a question as a model will see it, or the summary of a run."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from evalkit.cli.exit_codes import FINE
from evalkit.cli.facts import print_facts
from evalkit.cli.options import Commands, add_asking_options, build_settings, new_parser
from evalkit.cli.run import print_runs
from evalkit.cli.score import find_runs
from evalkit.cli.selecting import add_selection_options, build_selection

if TYPE_CHECKING:
    from evalkit.benchmarks import Benchmark
    from evalkit.images import Image
    from evalkit.models.model import Capabilities
    from evalkit.questions import Question, QuestionSet
    from evalkit.requests import Way

Images: TypeAlias = "Mapping[str, Image]"

EXAMPLES = """  evalkit show everyday
  evalkit show questions.csv --way prefill --shots 2 --json
  evalkit show arc-challenge --facts
  evalkit show mmlu --data ~/sets --model claude-opus-5-5
  evalkit show results/everyday--local-smollm2-135m--prefill--0123456789ab
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands, "show", "print a question exactly as it will be sent, or a run", EXAMPLES
    )
    parser.add_argument(
        "what", metavar="BENCHMARK|RUN", help="as for `run`; a run's folder, or a folder of runs"
    )
    parser.add_argument(
        "--model",
        default="MODEL",
        metavar="M",
        help="show what is sent to this model (default: each way of asking)",
    )
    add_asking_options(parser)
    add_selection_options(parser)
    parser.add_argument(
        "--id", metavar="ID", help="the question to show (default: one drawn by the seed)"
    )
    parser.add_argument(
        "--facts",
        action="store_true",
        help="print what a benchmark's definition says of it; its questions are not loaded",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the body of the request, with the places of pictures instead of their bytes",
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Print one question in each way of asking, or the table of runs."""
    from evalkit.benchmarks import load_benchmark
    from evalkit.results import load_run
    from evalkit.runs.folder import MANIFEST
    from evalkit.sending import collect_images

    path = Path(args.what)
    runs = find_runs([path])
    # A folder may bear the name of a benchmark; a run's name never does.
    if path.is_dir() and (len(path.parts) > 1 or (runs[0] / MANIFEST).exists()):
        print_runs([load_run(run) for run in runs], as_json=args.json)
        return FINE
    if args.facts:
        print_facts(args.what, args.data, as_json=args.json)
        return FINE
    benchmark = load_benchmark(args.what, data_folder=args.data, split=args.split)
    selected = build_selection(vars(args)).apply(benchmark.question_set)
    question = pick_question(selected, args.id, args.seed)
    bodies = build_bodies(args, benchmark, question)
    images = collect_images((*benchmark.question_set.examples, question))
    if args.json:
        shown = [place_pictures(body, images) for body in bodies.values()]
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        from evalkit.reports.tables import clean_lines

        parts = [f"=== {way}\n{render_body(body, images)}" for way, body in bodies.items()]
        print(clean_lines("\n\n".join([f"Question {question.id}", *parts])))
    return FINE


def build_bodies(
    args: argparse.Namespace, benchmark: Benchmark, question: Question
) -> dict[str, Mapping[str, Any]]:
    """The request for one question in each way of asking."""
    from evalkit.elicitation.asking import Asking
    from evalkit.elicitation.choose import CONSTRAINED, build_body
    from evalkit.jobs import asks_for_several, refuse_several
    from evalkit.models.catalogue import find_model
    from evalkit.models.local import is_local
    from evalkit.models.model import EMBEDDED
    from evalkit.prompts import build_prompt, choose_examples, rank_examples
    from evalkit.questions import count_several

    settings = build_settings(args)
    several = count_several(benchmark.question_set.questions)
    form = settings[0].prompt or benchmark.definition.prompt
    asking = Asking(
        model=args.model,
        capabilities=EMBEDDED if is_local(args.model) else find_model(args.model).capabilities,
        temperature=settings[0].sent_temperature,
        effort=args.effort,
        thought=args.thought,
        max_tokens=args.max_tokens,
        stop_sequences=settings[0].stop_sequences,
    )
    bodies: dict[str, Mapping[str, Any]] = {}
    for chosen in settings:
        for way in list_ways(chosen.way, args.model, asking.capabilities, several):
            if way not in CONSTRAINED:
                refuse_several(benchmark.name, [question], way)
            sets = asks_for_several(benchmark, way)
            pool = rank_examples(benchmark.question_set.examples, args.seed, several=sets)
            examples = choose_examples(question, pool, args.shots)
            prompt = build_prompt(question, form, examples, several=sets)
            bodies[way] = build_body(way, prompt, asking)
    return bodies


def list_ways(
    way: Way | Literal["auto"], model: str, capabilities: Capabilities, several: int
) -> tuple[Way, ...]:
    """The ways that a choice may stand for: both, if only asking the model would tell.

    Args:
        way: the choice.
        model: that is to be asked.
        capabilities: of the model.
        several: how many questions of the set have several right choices.
    """
    from evalkit.elicitation.choose import choose_way
    from evalkit.probing import choose_bound

    if way != "auto":
        return (way,)
    settled = choose_bound(model, capabilities, several) if several else choose_way(capabilities)
    return ("prefill", "instructed") if settled is None else (settled,)


def pick_question(question_set: QuestionSet, wanted: str | None, seed: int) -> Question:
    """The question with an id, or the first that the seed draws of those that a run asks.

    Raises:
        UsageError: there is no question with this id.
    """
    from evalkit.errors import UsageError
    from evalkit.questions import digest_of

    # One after the other: there may be millions.
    if wanted is None:
        return min(
            question_set.questions,
            key=lambda question: (not question.has_one_answer, digest_of(str(seed), question.id)),
        )
    for question in question_set.questions:
        if question.id == wanted:
            return question
    ids = [question.id for question in question_set.questions]
    near = difflib.get_close_matches(wanted, ids, n=3, cutoff=0.4) or ids[:3]
    raise UsageError(f"no question has the id {wanted!r}; near it: {', '.join(near)}")


def place_pictures(part: Any, images: Images) -> Any:
    """A part of a request as it is sent, but with the place of each picture for its bytes."""
    if isinstance(part, list | tuple):
        return [place_pictures(item, images) for item in part]
    if not isinstance(part, Mapping):
        return part
    if part.get("type") != "digest":
        return {key: place_pictures(value, images) for key, value in part.items()}
    image = images[part["sha256"]]
    if image.url is not None:
        return {"type": "url", "url": image.url}
    data = f"<{describe_image(image)}>"
    return {"type": "base64", "media_type": image.media_type, "data": data}


def describe_image(image: Image) -> str:
    """Where a picture lies, and how large it is."""
    if image.size_bytes is None:
        return image.place
    return f"{image.place}, {image.width} x {image.height} pixels, {image.size_bytes:,} bytes"


def render_body(body: Mapping[str, Any], images: Images) -> str:
    """A request as a conversation, followed by its other fields."""
    turns = [("system", body["system"])] if "system" in body else []
    turns += [(message["role"], message["content"]) for message in body["messages"]]
    others = {k: v for k, v in body.items() if k not in ("system", "messages")}
    lines = [f"--- {role}\n{render_content(content, images)}" for role, content in turns]
    if turns[-1][0] == "assistant":
        lines[-1] += "    <- the model goes on here, behind the last visible character"
    return "\n".join([*lines, f"--- {json.dumps(others)}"])


def render_content(content: str | list[dict[str, Any]], images: Images) -> str:
    """What a turn says, one block a line."""
    if isinstance(content, str):
        return content
    return "\n".join(render_block(block, images) for block in content)


def render_block(block: Mapping[str, Any], images: Images) -> str:
    """One block: its text, the place of its picture, or its JSON."""
    if block["type"] == "text":
        return str(block["text"])
    if block["type"] == "image":
        return f"[{describe_image(images[block['source']['sha256']])}]"
    return json.dumps(block, ensure_ascii=False)

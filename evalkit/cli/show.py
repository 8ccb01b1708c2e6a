"""`evalkit show`: a question as a model will see it, or the summary of a run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.cli.exit_codes import FINE
from evalkit.cli.options import Commands, add_asking_options, new_parser, read_prompt
from evalkit.cli.run import print_runs

if TYPE_CHECKING:
    from evalkit.questions import Question, QuestionSet

EXAMPLES = """  evalkit show everyday
  evalkit show questions.csv --way prefill --shots 2 --json
  evalkit show mmlu --data ~/sets --model claude-opus-5-5
  evalkit show results/everyday--local-smollm2-135m--prefill--0123456789ab
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands, "show", "print a question exactly as it will be sent, or a run", EXAMPLES
    )
    parser.add_argument("what", metavar="BENCHMARK|RUN", help="as for `run`, or a run's folder")
    parser.add_argument(
        "--model", default="MODEL", metavar="M", help="shows what is sent to this model"
    )
    add_asking_options(parser)
    parser.add_argument(
        "--id", metavar="ID", help="the question to show (default: one drawn by the seed)"
    )
    parser.add_argument("--json", action="store_true", help="print the body of the request")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Print one question in each way of asking, or a run's table."""
    from evalkit.results import load_run
    from evalkit.runs.folder import MANIFEST

    path = Path(args.what)
    # A folder may bear the name of a benchmark; a run's name never does.
    if path.is_dir() and (len(path.parts) > 1 or (path / MANIFEST).is_file()):
        print_runs([load_run(path)], as_json=args.json)
        return FINE
    bodies = build_bodies(args)
    if args.json:
        print(json.dumps(list(bodies.values()), indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(f"=== {way}\n{render_body(body)}" for way, body in bodies.items()))
    return FINE


def build_bodies(args: argparse.Namespace) -> dict[str, Mapping[str, Any]]:
    """The request for one question in each way of asking."""
    from evalkit.benchmarks import load_benchmark
    from evalkit.elicitation.asking import Asking
    from evalkit.elicitation.choose import build_body, choose_way
    from evalkit.models.model import find_capabilities
    from evalkit.prompts import build_prompt, choose_examples, rank_examples
    from evalkit.requests import WAYS

    benchmark = load_benchmark(args.what, data_folder=args.data)
    question = pick_question(benchmark.question_set, args.id, args.seed)
    pool = rank_examples(benchmark.question_set.examples, args.seed)
    prompt = build_prompt(
        question,
        read_prompt(args.prompt) or benchmark.definition.prompt,
        choose_examples(question, pool, args.shots),
    )
    asking = Asking(
        model=args.model,
        capabilities=find_capabilities(args.model),
        temperature=args.temperature,
    )
    automatic = choose_way(asking.capabilities)
    ways = [w for w in args.way or () if w != "auto"] or ([automatic] if automatic else WAYS)
    return {way: build_body(way, prompt, asking) for way in ways}


def pick_question(question_set: QuestionSet, wanted: str | None, seed: int) -> Question:
    """The question with an id, or one drawn by the seed.

    Raises:
        UsageError: there is no question with this id.
    """
    from evalkit.errors import UsageError

    if wanted is None:
        return question_set.sample(1, seed).questions[0]
    for question in question_set.questions:
        if question.id == wanted:
            return question
    raise UsageError(f"no question has the id {wanted!r}")


def render_body(body: Mapping[str, Any]) -> str:
    """A request as a conversation, followed by its other fields."""
    turns = [("system", body["system"])] if "system" in body else []
    turns += [(message["role"], message["content"]) for message in body["messages"]]
    others = {k: v for k, v in body.items() if k not in ("system", "messages")}
    lines = [f"--- {role}\n{content}" for role, content in turns]
    if turns[-1][0] == "assistant":
        lines[-1] += "    <- the model goes on here, behind the last visible character"
    return "\n".join([*lines, f"--- {json.dumps(others)}"])

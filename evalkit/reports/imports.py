"""What has to be known of a run that another tool made."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.answers import name_pick
from evalkit.disagreements import name_outcome
from evalkit.prompts import build_labels
from evalkit.reports.tables import clean, percent
from evalkit.reports.wording import count, first_words
from evalkit.results import Run
from evalkit.source_scores import ScoreDifference, SourceScores, compare_source_scores

SHOWN = 3
"""Replies that are named of those that the two tools score differently."""

LISTED = "which `evalkit report` and `import --json` list"
"""Where those are that are not named."""

EVIDENCE = {
    "picks": "its log has no replies but the choices that the tool picked by their likelihoods",
    "scores": (
        "its log has no replies and choices but the tool's own scores: letters mean nothing, and "
        "neither does chance where the choices are not known"
    ),
}


def describe_import(run: Run) -> Iterator[str]:
    """Sentences about an imported run; none about one that evalkit asked."""
    origin = run.manifest.identity.origin
    if origin is None:
        return
    name = clean(run.manifest.log)
    yield (
        f"imported from {name}: asked by {clean(origin.words)}; evalkit knows no more of prompt "
        "and settings than the log tells"
    )
    if origin.evidence in EVIDENCE:
        yield EVIDENCE[origin.evidence]
    for note in run.manifest.notes:
        yield clean(note)
    found = compare_source_scores(run, most=SHOWN)
    if found is not None and found.mean is not None:
        yield describe_scores(run, found)


def describe_scores(run: Run, found: SourceScores) -> str:
    """How far the tool's own scores are evalkit's."""
    origin = run.manifest.identity.origin
    assert origin is not None
    assert found.mean is not None
    named = f" ({clean(origin.score)})" if origin.score else ""
    words = f"{clean(origin.tool) or 'the table'}'s own score{named} is {percent(found.mean)} %"
    if found.compared == 0:
        return f"{words}; evalkit has no reading of its own to hold against it"
    words += f" over {count(found.scored, 'reply', 'replies')}"
    if found.differing == 0:
        return f"{words}, and the same as evalkit's for each of them"
    examples = "; ".join(describe_difference(run, each) for each in found.differences)
    left = found.differing - len(found.differences)
    more = f"; and {left:,} more, {LISTED}" if left else ""
    verb = "differs" if found.differing == 1 else "differ"
    return (
        f"{words}; {found.differing:,} of {found.compared:,} {verb} from evalkit's, which counts: "
        f"{examples}{more}"
    )


def describe_difference(run: Run, each: ScoreDifference) -> str:
    """One reply that the two score differently."""
    labels = build_labels(26, "letters")
    ours = (
        name_outcome(each.answer.outcome)
        if each.answer.choice is None
        else f"{name_pick(each.answer.choice, labels)}, {'right' if each.correct else 'wrong'}"
    )
    known = {1.0: "right", 0.0: "wrong"}
    theirs = known.get(each.score, f"score {each.score:g}")
    if each.source_answer:
        theirs = f"{first_words(each.source_answer, 30)}, {theirs}"
    return f"{clean(each.question_id)} (evalkit: {ours}; the tool: {theirs})"

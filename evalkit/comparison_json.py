"""A comparison as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from evalkit.judgements import Judgement
from evalkit.pairs import paired_to_dict
from evalkit.results import interval_to_dict
from evalkit.run_pairs import ComparedRun, Flip, RunPair
from evalkit.source_scores import source_scores_to_dict
from evalkit.standings import BenchmarkComparison


def benchmark_to_dict(compared: BenchmarkComparison) -> dict[str, Any]:
    """The runs of one benchmark."""
    return {
        "benchmark": compared.benchmark,
        "n": compared.n,
        "unanswered": compared.unanswered,
        "runs": [compared_to_dict(each) for each in compared.runs],
        "pairs": [pair_to_dict(each) for each in compared.pairs],
        "ranking": [
            {
                "run": each.compared.number,
                "best": each.ranks.best,
                "worst": each.ranks.worst,
                "tied_with": list(each.tied),
            }
            for each in compared.standings
        ],
    }


def compared_to_dict(compared: ComparedRun) -> dict[str, Any]:
    """One of the runs."""
    identity = compared.run.manifest.identity
    return {
        "number": compared.number,
        "name": compared.name,
        "run_id": identity.run_id,
        "folder": str(compared.run.path),
        "model": identity.model,
        "models_served": list(compared.run.models_served()),
        "way": identity.way,
        **({} if identity.origin is None else {"origin": identity.origin.to_json()}),
        **source_scores_to_dict(compared.run),
        "evalkit_version": compared.run.manifest.evalkit_version,
        "mean": compared.mean,
        "score": None if compared.score is None else interval_to_dict(compared.score),
        "partial_credit": compared.partial,
        "questions_left_out": compared.left_out,
        "missing": compared.missing,
    }


def pair_to_dict(pair: RunPair) -> dict[str, Any]:
    """Two of the runs."""
    return {
        "baseline": pair.baseline.number,
        "candidate": pair.candidate.number,
        "accuracy": paired_to_dict(pair.accuracy),
        "readable": paired_to_dict(pair.readable),
        "whole_set": pair.is_whole_set,
        "subjects": [
            {
                "group": each.name,
                "baseline": each.baseline,
                "candidate": each.candidate,
                **paired_to_dict(each.difference),
            }
            for each in pair.subjects
        ],
        "flips": [flip_to_dict(each) for each in pair.flips],
        "asked_differently": [asdict(each) for each in pair.differences],
        "judgement": None if pair.judgement is None else judgement_to_dict(pair.judgement),
    }


def flip_to_dict(flip: Flip) -> dict[str, Any]:
    """A question that flipped."""
    return {
        "id": flip.question.id,
        "stem": flip.question.stem,
        "kind": flip.kind,
        "right": flip.right,
        "baseline": flip.baseline,
        "candidate": flip.candidate,
    }


def judgement_to_dict(judgement: Judgement) -> dict[str, Any]:
    """What is said of the margin."""
    interval = judgement.interval
    return {
        "verdict": judgement.verdict,
        "margin": judgement.margin,
        "difference": None if interval is None else interval_to_dict(interval),
        "verdicts_in_all": judgement.family,
        "questions_needed": judgement.needed,
    }

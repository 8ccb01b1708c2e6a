"""What loading costs: questions from JSON lines and from Parquet, at two sizes.

    python -m tests.bench_loading [--most 1000000] [--lint]

Each file is loaded by a process of its own; CPU seconds and peak memory are that process's, the
start of Python and evalkit included. Ten times the questions should cost ten times the CPU. With
`--lint`, each file is loaded and checked as `evalkit lint` does it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

from evalkit.benchmarks import load_benchmark
from evalkit.linting.check import LintReport, lint
from tests.bench_questions import write_questions

ROWS_AT_ONCE = 10_000
FORMATS = ("jsonl", "parquet")


def measure_load(path: Path, *options: str) -> dict[str, float]:
    """Load one file in a process of its own."""
    command = [sys.executable, "-m", "tests.bench_loading", "--load", str(path), *options]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(told)
    return found


def load_here(path: Path, *, with_lint: bool) -> dict[str, float]:
    """Load one file; say how many questions it held and what that cost this process."""
    read = lint(path) if with_lint else load_benchmark(path)
    count = read.questions if isinstance(read, LintReport) else len(read.question_set.questions)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime
    return {"questions": count, "cpu_seconds": seconds, "peak_mb": used.ru_maxrss / 1024}


def write_files(folder: Path, count: int) -> dict[str, Path]:
    """The same questions in each format."""
    paths = {form: folder / f"questions-{count}.{form}" for form in FORMATS}
    write_questions(paths["jsonl"], count)
    write_parquet(paths["jsonl"], paths["parquet"])
    return paths


def write_parquet(lines: Path, path: Path) -> None:
    """Write JSON lines as Parquet, part by part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with lines.open("rb") as file:
        rows = map(json.loads, file)
        first = pa.Table.from_pylist(list(islice(rows, ROWS_AT_ONCE)))
        with pq.ParquetWriter(path, first.schema) as writer:
            writer.write_table(first)
            while part := list(islice(rows, ROWS_AT_ONCE)):
                writer.write_table(pa.Table.from_pylist(part, schema=first.schema))


def main() -> None:
    """Print a table, or what one load cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--most", type=int, default=1_000_000, help="questions of the larger files")
    parser.add_argument("--load", type=Path, help="only load this file, and print its cost as JSON")
    parser.add_argument("--lint", action="store_true", help="check the files too")
    args = parser.parse_args()
    if args.load is not None:
        print(json.dumps(load_here(args.load, with_lint=args.lint)))
        return
    with tempfile.TemporaryDirectory() as folder:
        costs: dict[str, list[dict[str, float]]] = {form: [] for form in FORMATS}
        for count in (args.most // 10, args.most):
            for form, path in write_files(Path(folder), count).items():
                cost = measure_load(path, *(["--lint"] if args.lint else []))
                costs[form].append(cost)
                print(
                    f"{form:8} {cost['questions']:>9,.0f} questions  {cost['cpu_seconds']:6.1f} s "
                    f"of CPU  {cost['peak_mb']:6,.0f} MB at the peak"
                )
                path.unlink()
        for form, (few, many) in costs.items():
            ratio = many["cpu_seconds"] / few["cpu_seconds"]
            print(f"{form:8} ten times the questions cost {ratio:.1f} times the CPU")


if __name__ == "__main__":
    main()

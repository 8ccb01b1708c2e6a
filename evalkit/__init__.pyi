from .answers import Answer as Answer
from .answers import Outcome as Outcome
from .api.endpoint import (
    Endpoint as Endpoint,
)
from .api.endpoint import (
    endpoint_from_environment as endpoint_from_environment,
)
from .api.retries import RetryPolicy as RetryPolicy
from .auditing import audit as audit
from .auditing import audit_async as audit_async
from .audits import Audit as Audit
from .audits import audit_runs as audit_runs
from .baselines import Baseline as Baseline
from .baselines import baseline_of as baseline_of
from .baselines import read_baseline as read_baseline
from .benchmarks import (
    Benchmark as Benchmark,
)
from .benchmarks import (
    Definition as Definition,
)
from .benchmarks import (
    load_benchmark as load_benchmark,
)
from .candidates import settings_of as settings_of
from .check_files import load_project as load_project
from .check_results import CheckResult as CheckResult
from .checking import check as check
from .checking import check_async as check_async
from .checks import Project as Project
from .comparisons import Comparison as Comparison
from .comparisons import ComparisonOptions as ComparisonOptions
from .comparisons import compare as compare
from .diagnosis import Diagnosis as Diagnosis
from .diagnosis import diagnose as diagnose
from .diagnosis import diagnose_async as diagnose_async
from .errors import (
    ApiError as ApiError,
)
from .errors import (
    AuthenticationError as AuthenticationError,
)
from .errors import (
    BenchmarkError as BenchmarkError,
)
from .errors import (
    BillingError as BillingError,
)
from .errors import (
    ConnectionFailedError as ConnectionFailedError,
)
from .errors import (
    EvalkitError as EvalkitError,
)
from .errors import (
    InvalidRequestError as InvalidRequestError,
)
from .errors import (
    LocalModelError as LocalModelError,
)
from .errors import (
    LogError as LogError,
)
from .errors import (
    MissingExtraError as MissingExtraError,
)
from .errors import (
    NotFoundError as NotFoundError,
)
from .errors import (
    OverloadedError as OverloadedError,
)
from .errors import (
    PromptError as PromptError,
)
from .errors import (
    QuestionSetError as QuestionSetError,
)
from .errors import (
    RateLimitError as RateLimitError,
)
from .errors import (
    RowProblem as RowProblem,
)
from .errors import (
    RunError as RunError,
)
from .errors import (
    RunFormatError as RunFormatError,
)
from .errors import (
    RunLockedError as RunLockedError,
)
from .errors import (
    RunMismatchError as RunMismatchError,
)
from .errors import (
    ServerError as ServerError,
)
from .errors import (
    UnreadableResponseError as UnreadableResponseError,
)
from .errors import (
    UsageError as UsageError,
)
from .evaluation import run as run
from .evaluation import run_async as run_async
from .gate_records import GateRecord as GateRecord
from .gating import GateResult as GateResult
from .gating import gate as gate
from .gating import gate_async as gate_async
from .importers.folders import import_log as import_log
from .importers.logged import LogColumns as LogColumns
from .importers.logged import LogOptions as LogOptions
from .linting.check import LintReport as LintReport
from .linting.check import lint as lint
from .linting.doubts import Doubt as Doubt
from .planning import plan as plan
from .planning import plan_async as plan_async
from .plans import Plan as Plan
from .plans import PlanOptions as PlanOptions
from .prompts import PromptFormat as PromptFormat
from .questions import Duplicate as Duplicate
from .questions import Question as Question
from .questions import QuestionSet as QuestionSet
from .reading import read_choice as read_choice
from .reports.formats import FileOptions as FileOptions
from .reports.report import Report as Report
from .reports.report import build_report as build_report
from .results import Run as Run
from .results import load_run as load_run
from .scores import Score as Score
from .selection import Selection as Selection
from .settings import RunSettings as RunSettings
from .stats.intervals import (
    Interval as Interval,
)
from .stats.intervals import (
    mean_interval as mean_interval,
)
from .stats.intervals import (
    wilson_interval as wilson_interval,
)
from .stats.sequential import Gate as Gate
from .stats.sequential import GateTerms as GateTerms
from .stats.verdicts import Verdict as Verdict
from .summaries import Summary as Summary
from .verifying import Finding as Finding
from .verifying import Verification as Verification
from .verifying import verify_run as verify_run
from .version import __version__ as __version__

__all__ = [
    "Answer",
    "ApiError",
    "Audit",
    "AuthenticationError",
    "Baseline",
    "Benchmark",
    "BenchmarkError",
    "BillingError",
    "CheckResult",
    "Comparison",
    "ComparisonOptions",
    "ConnectionFailedError",
    "Definition",
    "Diagnosis",
    "Doubt",
    "Duplicate",
    "Endpoint",
    "EvalkitError",
    "FileOptions",
    "Finding",
    "Gate",
    "GateRecord",
    "GateResult",
    "GateTerms",
    "Interval",
    "InvalidRequestError",
    "LintReport",
    "LocalModelError",
    "LogColumns",
    "LogError",
    "LogOptions",
    "MissingExtraError",
    "NotFoundError",
    "Outcome",
    "OverloadedError",
    "Plan",
    "PlanOptions",
    "Project",
    "PromptError",
    "PromptFormat",
    "Question",
    "QuestionSet",
    "QuestionSetError",
    "RateLimitError",
    "Report",
    "RetryPolicy",
    "RowProblem",
    "Run",
    "RunError",
    "RunFormatError",
    "RunLockedError",
    "RunMismatchError",
    "RunSettings",
    "Score",
    "Selection",
    "ServerError",
    "Summary",
    "UnreadableResponseError",
    "UsageError",
    "Verdict",
    "Verification",
    "__version__",
    "audit",
    "audit_async",
    "audit_runs",
    "baseline_of",
    "build_report",
    "check",
    "check_async",
    "compare",
    "diagnose",
    "diagnose_async",
    "endpoint_from_environment",
    "gate",
    "gate_async",
    "import_log",
    "lint",
    "load_benchmark",
    "load_project",
    "load_run",
    "mean_interval",
    "plan",
    "plan_async",
    "read_baseline",
    "read_choice",
    "run",
    "run_async",
    "settings_of",
    "verify_run",
    "wilson_interval",
]

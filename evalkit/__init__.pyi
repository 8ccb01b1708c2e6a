from .answers import Answer as Answer
from .answers import Outcome as Outcome
from .answers import Pick as Pick
from .api.breaker import Patience as Patience
from .api.endpoint import Endpoint as Endpoint
from .api.endpoint import endpoint_from_environment as endpoint_from_environment
from .api.limits import RateLimits as RateLimits
from .api.retries import RetryPolicy as RetryPolicy
from .auditing import audit as audit
from .auditing import audit_async as audit_async
from .audits import AskedWay as AskedWay
from .audits import Audit as Audit
from .audits import LeftOut as LeftOut
from .audits import WayComparison as WayComparison
from .audits import audit_runs as audit_runs
from .averages import Average as Average
from .baselines import Baseline as Baseline
from .baselines import baseline_of as baseline_of
from .baselines import read_baseline as read_baseline
from .benchmarks import Benchmark as Benchmark
from .benchmarks import DataPlace as DataPlace
from .benchmarks import Definition as Definition
from .benchmarks import load_benchmark as load_benchmark
from .candidates import settings_of as settings_of
from .check_files import load_project as load_project
from .check_results import CheckResult as CheckResult
from .check_results import CheckStatus as CheckStatus
from .check_results import ThresholdResult as ThresholdResult
from .checking import check as check
from .checking import check_async as check_async
from .checks import Check as Check
from .checks import CheckCase as CheckCase
from .checks import Project as Project
from .comparability import AskedDifference as AskedDifference
from .comparisons import Comparison as Comparison
from .comparisons import ComparisonOptions as ComparisonOptions
from .comparisons import compare as compare
from .confidence import Calibration as Calibration
from .diagnosis import Diagnosis as Diagnosis
from .diagnosis import DiagnosisPoint as DiagnosisPoint
from .diagnosis import PointLevel as PointLevel
from .diagnosis import diagnose as diagnose
from .diagnosis import diagnose_async as diagnose_async
from .disagreements import Disagreement as Disagreement
from .elicitation.asking import Thought as Thought
from .errors import ApiError as ApiError
from .errors import AuthenticationError as AuthenticationError
from .errors import BenchmarkError as BenchmarkError
from .errors import BillingError as BillingError
from .errors import ConnectionFailedError as ConnectionFailedError
from .errors import EvalkitError as EvalkitError
from .errors import InvalidRequestError as InvalidRequestError
from .errors import LocalModelError as LocalModelError
from .errors import LogError as LogError
from .errors import MissingExtraError as MissingExtraError
from .errors import NotFoundError as NotFoundError
from .errors import OverloadedError as OverloadedError
from .errors import PromptError as PromptError
from .errors import QuestionSetError as QuestionSetError
from .errors import RateLimitError as RateLimitError
from .errors import RowProblem as RowProblem
from .errors import RunError as RunError
from .errors import RunFormatError as RunFormatError
from .errors import RunLockedError as RunLockedError
from .errors import RunMismatchError as RunMismatchError
from .errors import ServerError as ServerError
from .errors import UnreadableResponseError as UnreadableResponseError
from .errors import UsageError as UsageError
from .evaluation import run as run
from .evaluation import run_async as run_async
from .experience import Experience as Experience
from .flips import GateFlip as GateFlip
from .gate_records import FullVerdict as FullVerdict
from .gate_records import GateRecord as GateRecord
from .gates import GatePlan as GatePlan
from .gating import GateResult as GateResult
from .gating import gate as gate
from .gating import gate_async as gate_async
from .images import Image as Image
from .images import MediaType as MediaType
from .importers.folders import import_log as import_log
from .importers.logged import LogColumns as LogColumns
from .importers.logged import LogFormat as LogFormat
from .importers.logged import LogOptions as LogOptions
from .judgements import Judgement as Judgement
from .linting.check import LintReport as LintReport
from .linting.check import lint as lint
from .linting.doubts import Doubt as Doubt
from .linting.doubts import DoubtLevel as DoubtLevel
from .loaders.fields import AnswerForm as AnswerForm
from .models.model import Price as Price
from .pairs import IntervalName as IntervalName
from .pairs import PairedDifference as PairedDifference
from .planning import plan as plan
from .planning import plan_async as plan_async
from .plans import GateNeed as GateNeed
from .plans import Plan as Plan
from .plans import PlanBasis as PlanBasis
from .plans import PlanNeed as PlanNeed
from .plans import PlanOptions as PlanOptions
from .plans import PlanPrices as PlanPrices
from .positions import PositionBias as PositionBias
from .precedents import Precedent as Precedent
from .prompts import PromptFormat as PromptFormat
from .questions import Duplicate as Duplicate
from .questions import Order as Order
from .questions import Question as Question
from .questions import QuestionSet as QuestionSet
from .questions import Role as Role
from .reading import read_choice as read_choice
from .reports.csv_format import ReportRows as ReportRows
from .reports.formats import FileOptions as FileOptions
from .reports.report import Report as Report
from .reports.report import build_report as build_report
from .requests import Way as Way
from .responses import RequestFailure as RequestFailure
from .responses import Response as Response
from .responses import Usage as Usage
from .results import ClusterBy as ClusterBy
from .results import Run as Run
from .results import load_run as load_run
from .run_pairs import ComparedRun as ComparedRun
from .run_pairs import Flip as Flip
from .run_pairs import RunPair as RunPair
from .run_pairs import SubjectDifference as SubjectDifference
from .runs.gate_files import GateLot as GateLot
from .runs.journal import JournalRow as JournalRow
from .runs.journal import SourceNote as SourceNote
from .runs.manifest import Evidence as Evidence
from .runs.manifest import Identity as Identity
from .runs.manifest import Manifest as Manifest
from .runs.manifest import Orders as Orders
from .runs.manifest import Origin as Origin
from .scores import Score as Score
from .selection import Selection as Selection
from .settings import Engine as Engine
from .settings import ImageSource as ImageSource
from .settings import RunSettings as RunSettings
from .standings import BenchmarkComparison as BenchmarkComparison
from .standings import Standing as Standing
from .stats.estimates import Estimate as Estimate
from .stats.groups import GroupedMeans as GroupedMeans
from .stats.intervals import Interval as Interval
from .stats.intervals import mean_interval as mean_interval
from .stats.intervals import wilson_interval as wilson_interval
from .stats.positions import ChiSquareTest as ChiSquareTest
from .stats.positions import LetterTable as LetterTable
from .stats.ranks import RankRange as RankRange
from .stats.reliability import Reliability as Reliability
from .stats.reliability import ReliabilityBin as ReliabilityBin
from .stats.sequential import Gate as Gate
from .stats.sequential import GateTerms as GateTerms
from .stats.verdicts import Verdict as Verdict
from .summaries import OrderSummary as OrderSummary
from .summaries import Repetition as Repetition
from .summaries import Summary as Summary
from .tallies import Failure as Failure
from .verifying import DamageLevel as DamageLevel
from .verifying import Finding as Finding
from .verifying import Soundness as Soundness
from .verifying import Verification as Verification
from .verifying import verify_run as verify_run
from .version import __version__ as __version__

__all__ = [
    "Answer",
    "AnswerForm",
    "ApiError",
    "AskedDifference",
    "AskedWay",
    "Audit",
    "AuthenticationError",
    "Average",
    "Baseline",
    "Benchmark",
    "BenchmarkComparison",
    "BenchmarkError",
    "BillingError",
    "Calibration",
    "Check",
    "CheckCase",
    "CheckResult",
    "CheckStatus",
    "ChiSquareTest",
    "ClusterBy",
    "ComparedRun",
    "Comparison",
    "ComparisonOptions",
    "ConnectionFailedError",
    "DamageLevel",
    "DataPlace",
    "Definition",
    "Diagnosis",
    "DiagnosisPoint",
    "Disagreement",
    "Doubt",
    "DoubtLevel",
    "Duplicate",
    "Endpoint",
    "Engine",
    "Estimate",
    "EvalkitError",
    "Evidence",
    "Experience",
    "Failure",
    "FileOptions",
    "Finding",
    "Flip",
    "FullVerdict",
    "Gate",
    "GateFlip",
    "GateLot",
    "GateNeed",
    "GatePlan",
    "GateRecord",
    "GateResult",
    "GateTerms",
    "GroupedMeans",
    "Identity",
    "Image",
    "ImageSource",
    "Interval",
    "IntervalName",
    "InvalidRequestError",
    "JournalRow",
    "Judgement",
    "LeftOut",
    "LetterTable",
    "LintReport",
    "LocalModelError",
    "LogColumns",
    "LogError",
    "LogFormat",
    "LogOptions",
    "Manifest",
    "MediaType",
    "MissingExtraError",
    "NotFoundError",
    "Order",
    "OrderSummary",
    "Orders",
    "Origin",
    "Outcome",
    "OverloadedError",
    "PairedDifference",
    "Patience",
    "Pick",
    "Plan",
    "PlanBasis",
    "PlanNeed",
    "PlanOptions",
    "PlanPrices",
    "PointLevel",
    "PositionBias",
    "Precedent",
    "Price",
    "Project",
    "PromptError",
    "PromptFormat",
    "Question",
    "QuestionSet",
    "QuestionSetError",
    "RankRange",
    "RateLimitError",
    "RateLimits",
    "Reliability",
    "ReliabilityBin",
    "Repetition",
    "Report",
    "ReportRows",
    "RequestFailure",
    "Response",
    "RetryPolicy",
    "Role",
    "RowProblem",
    "Run",
    "RunError",
    "RunFormatError",
    "RunLockedError",
    "RunMismatchError",
    "RunPair",
    "RunSettings",
    "Score",
    "Selection",
    "ServerError",
    "Soundness",
    "SourceNote",
    "Standing",
    "SubjectDifference",
    "Summary",
    "Thought",
    "ThresholdResult",
    "UnreadableResponseError",
    "Usage",
    "UsageError",
    "Verdict",
    "Verification",
    "Way",
    "WayComparison",
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

"""The main job: measure every strategy on one pool of samples."""

from perpend.study.draw import StudyListener
from perpend.study.results import ProblemView, Results
from perpend.study.spec import EngineSpec, StudySpec, TaskSpec
from perpend.study.study import load_results, problem_views, reevaluate, run_study

__all__ = [
    "EngineSpec",
    "ProblemView",
    "Results",
    "StudyListener",
    "StudySpec",
    "TaskSpec",
    "load_results",
    "problem_views",
    "reevaluate",
    "run_study",
]

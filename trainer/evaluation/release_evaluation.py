"""Measures one release, candidate or baseline, by the same code on the same requests."""

import dataclasses

from trainer.evaluation.catalogue import Catalogue
from trainer.evaluation.config import EvaluationConfig
from trainer.evaluation.funnel import Funnel, run_funnel
from trainer.evaluation.lists import list_metrics
from trainer.evaluation.requests import Requests
from trainer.evaluation.stage_models import load_stage_models
from trainer.evaluation.subject import Subject
from trainer.reporting import Progress, Report


@dataclasses.dataclass(frozen=True)
class ReleaseEvaluation:
    """What a release does with the test requests.

    Args:
      funnel: the fate of the ground truth.
      metrics: all metrics by name.
    """

    funnel: Funnel
    metrics: dict[str, float]


def evaluate_release(
    subject: Subject,
    *,
    name: str,
    config: EvaluationConfig,
    requests: Requests,
    catalogue: Catalogue,
    report: Report | None,
) -> ReleaseEvaluation:
    """Runs a release over the whole catalogue and inside the logged lists.

    Args:
      subject: the release.
      name: in the lines of progress.
      config: what to measure.
      requests: to run.
      catalogue: the items.
      report: gets the lines of progress.

    Returns:
      The evaluation.

    Raises:
      ValueError: if a model cannot be loaded or does not take the requests.
    """
    models = load_stage_models(subject)
    funnel = run_funnel(
        models,
        requests,
        catalogue,
        batch_size=config.batch_size,
        progress=Progress(report, f"{name}, whole catalogue", len(requests)),
    )
    in_lists = list_metrics(
        models,
        requests,
        catalogue,
        batch_size=config.batch_size,
        progress=Progress(report, f"{name}, logged lists", len(requests)),
    )
    return ReleaseEvaluation(funnel, funnel.metrics(config.ks) | in_lists)

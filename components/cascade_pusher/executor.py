"""Pushes a candidate release that both gates blessed."""

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, artifact_utils

from components.blessing import BASELINE_VERSION, NotBlessedError, check_blessing
from components.progress import report
from serving import signatures
from serving.release.checksums import checksums
from serving.release.manifest import Stage
from serving.release.push import push
from serving.release.store import ReleaseStore
from trainer.config.json_text import to_plain
from trainer.evaluation.evaluate import JSON_NAME
from trainer.evaluation.result import EvaluationResult
from trainer.release.candidate import MODELS, read_manifest


class Executor(BaseExecutor):
    """Executor of `CascadePusher`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the release; a candidate that is the newest release already is not pushed again.

        Raises:
          NotBlessedError: a gate refused the candidate, or another release was pushed since its evaluation.
          ReleaseError: the models do not make a release.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        release = artifact_utils.get_single_instance(input_dict["release"])
        model_blessing = artifact_utils.get_single_instance(input_dict["model_blessing"])
        check_blessing(model_blessing)
        check_blessing(artifact_utils.get_single_instance(input_dict["infra_blessing"]))

        candidate = read_manifest(release.uri)
        stages = tuple(Stage(stage.name, stage.capacity) for stage in candidate.stages)
        names = (*(stage.name for stage in stages), signatures.CASCADE)
        models = {name: Path(release.uri) / MODELS / name for name in names}
        store = ReleaseStore(exec_properties["serving_base"])
        _check_baseline(store, models, model_blessing.get_int_custom_property(BASELINE_VERSION))
        evaluation = Path(artifact_utils.get_single_uri(input_dict["evaluation"])) / JSON_NAME
        first_day, last_day = json.loads(exec_properties["data_span"])
        manifest = push(
            models,
            store.base,
            stages=stages,
            metrics=EvaluationResult.from_json(evaluation.read_text()).metrics,
            schema=to_plain(candidate.features),
            data_span=(first_day, last_day),
            git_commit=release.get_string_custom_property("git_commit") or None,
            index={"kind": candidate.config.index.kind, **candidate.index_recall},
            lock_hash=release.get_string_custom_property("lock_hash") or None,
        )
        report(f"release {manifest.version} is in {store.base}")
        pushed = artifact_utils.get_single_instance(output_dict["pushed"])
        pushed.set_int_custom_property("version", manifest.version)
        pushed.set_string_custom_property("serving_base", str(store.base))
        (Path(pushed.uri) / f"{manifest.version}.json").write_text(manifest.to_json())


def _check_baseline(store: ReleaseStore, models: dict[str, Path], baseline_version: int) -> None:
    """The gate compared with one baseline; a release pushed since may be better than the candidate."""
    latest = store.latest()
    version = latest.version if latest else 0
    if version == baseline_version:
        return
    if latest and latest.checksums == {name: checksums(path) for name, path in models.items()}:
        return  # a push that was killed before it was noted
    compared = f"release {baseline_version}" if baseline_version else "no release"
    raise NotBlessedError(
        f"the candidate was compared with {compared}, but the newest in {store.base} is "
        f"{f'release {version}' if version else 'none'}; run again from CascadeEvaluator"
    )

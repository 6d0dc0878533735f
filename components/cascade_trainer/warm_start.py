"""Where a training run starts from."""

from pathlib import Path

from serving import signatures
from serving.release.store import ReleaseStore
from trainer.release.candidate import MODELS
from trainer.release.warm_start import WARM_START

LAST_RELEASE = "last_release"


def find_warm_start(setting: str, serving_base: str) -> str | None:
    """Finds the cascade's SavedModel that a run is to start from.

    Args:
      setting: `""` for none, `"last_release"` for the newest in the serving folder, or the folder of a candidate
        release or of a cascade's SavedModel.
      serving_base: folder that releases are pushed to.

    Returns:
      The folder of the SavedModel; `None`, for random weights, if the setting says so or there is no release yet.

    Raises:
      ReleaseError: the manifest of the last release is damaged.
      ValueError: the folder of the setting holds no cascade that can be started from.
    """
    if not setting:
        return None
    if setting == LAST_RELEASE:
        store = ReleaseStore(serving_base)
        latest = store.latest()
        return None if latest is None else str(store.model_path(signatures.CASCADE, latest.version))
    for folder in (Path(setting) / MODELS / signatures.CASCADE, Path(setting)):
        if (folder / WARM_START).is_dir():
            return str(folder)
    raise ValueError(
        f"`warm_start` must be {LAST_RELEASE!r}, or the folder of a candidate release or a cascade's SavedModel with "
        f"{WARM_START} in it. Received: warm_start={setting!r}"
    )

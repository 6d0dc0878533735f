"""What a gate says of a candidate release, as properties and marker file of its blessing artifact."""

from collections.abc import Sequence
from pathlib import Path

from tfx.types import Artifact

BLESSED = "blessed"
REASONS = "reasons"
BASELINE_VERSION = "baseline_version"
"""Version of the release that an evaluation compared with, 0 for none."""


class NotBlessedError(Exception):
    """A candidate release went past a gate that refused it."""


def write_blessing(artifact: Artifact, reasons: Sequence[str], *, blessed_file: str, not_blessed_file: str) -> None:
    """Blesses the candidate if there is no reason against it.

    Args:
      artifact: the blessing, a ModelBlessing or an InfraBlessing.
      reasons: sentences that say why not.
      blessed_file: name of the empty file that marks a blessing for other TFX components.
      not_blessed_file: name of the one that marks a refusal.
    """
    artifact.set_int_custom_property(BLESSED, int(not reasons))
    artifact.set_string_custom_property(REASONS, "; ".join(reasons))
    (Path(artifact.uri) / (not_blessed_file if reasons else blessed_file)).touch()


def check_blessing(artifact: Artifact) -> None:
    """Lets a blessed candidate pass.

    Raises:
      NotBlessedError: the gate refused it; the message holds the reasons.
    """
    if artifact.get_int_custom_property(BLESSED) != 1:
        reasons = artifact.get_string_custom_property(REASONS)
        raise NotBlessedError(f"the candidate release was not blessed: {reasons}")

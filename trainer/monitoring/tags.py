"""The tag of a value in TensorBoard."""

_GROUPS = {
    "_gradient_norm": "gradient_norm",
    "_loss_weight": "loss_weight",
    "_loss": "loss",
    "_recall": "recall",
}


def tag(name: str) -> str:
    """Turns the name of a metric into its tag, such as `ranking_loss` into `loss/ranking`.

    TensorBoard groups tags by what stands before the slash. A name of no known ending stays as it is.
    """
    for ending, group in _GROUPS.items():
        if name.endswith(ending):
            return f"{group}/{name.removesuffix(ending)}"
    return name

"""The odd-even transposition sorting network as a differentiable top-`k`."""

import tensorflow as tf

from trainer.sorting.sorting_network import Network, SwapKind, network_survival
from trainer.sorting.survival import Survival


def odd_even_network(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 1.0,
    swap: SwapKind = "cauchy",
) -> Survival:
    """Relaxes the top `k` of each list with a soft sorting network (Petersen et al., ICML 2021 and ICLR 2022).

    `n` layers compare neighbours. Of two scores `a` and `b`, the first of which should be the larger, the items stay
    with probability `F((a - b) / temperature)` and swap otherwise, in a mixture that both carry on,

        F(z) = 1/2 + atan(z) / π  ("cauchy", ICLR 2022),    F(z) = 1 / (1 + exp(-z))  ("logistic", ICML 2021).

    The survival is the column sum of the first `k` rows of the product of the layers, a doubly stochastic matrix, so
    heads sum to `k`. It is found without the matrix, in `O(n·list_size)` time and memory per list.

    A network depends on the order in which items come in: with soft swaps an item keeps traces of its place, and lists
    of equal scores come out in the order that they were logged in. Therefore the items enter sorted by score, and those
    of equal scores as their average; what comes out depends on the scores alone. It is sharper than what the literature
    has, most so where the temperature is warm, and a better item survives no less than a worse one. Where two items
    change places in the order, their survivals jump, the less the colder the temperature.

    Cauchy swaps keep a probability of about `temperature / (π·gap)` for a mistake, so they harden slowly as the
    temperature falls; their gradient hardly vanishes.

    Args:
      scores: `[..., list_size]`, larger is better.
      k: size of the head, an int or an int tensor `[...]` with one size per list.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: `1 / steepness` of the swaps, positive; a float or a tensor `[...]`.
      swap: the probability `F(z)` that two items stay as they are, `"cauchy"` or `"logistic"`.

    Returns:
      The survival of each item, `[..., list_size]`, in float32 (float64 for float64 scores).

    Raises:
      ValueError: if `temperature` is a number that is not positive, or `swap` unknown.

    Example:
      >>> odd_even_network(tf.constant([3.0, 1.0, 2.0]), 1, temperature=1e-4).head
      [1.0, 0.0, 0.0]
    """
    return network_survival(odd_even_layers, scores, k, where, temperature, swap)


def odd_even_layers(list_size: tf.Tensor) -> Network:
    """Returns the `list_size` layers that compare neighbours, `(0, 1), (2, 3), ..` and `(1, 2), (3, 4), ..` in turn."""
    layer = tf.range(list_size)
    return Network(offset=layer % 2, mask=tf.ones_like(layer), least=layer)

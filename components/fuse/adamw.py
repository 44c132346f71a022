"""AdamW by PyTorch's own kernel, without PyTorch's optimizer class.

The class imports PyTorch's compiler the first time it is used, only to be left alone by it: seconds of every fit, for
something that nothing here needs. The step is the library's, `torch.optim.adamw.adamw`.
"""

from collections.abc import Iterable

import torch
from torch.optim.adamw import adamw

BETAS, EPSILON = (0.9, 0.999), 1e-8  # those of torch.optim.AdamW


class AdamW:
    """The same steps as `torch.optim.AdamW(parameters, lr, weight_decay=weight_decay, fused=True)`."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float, weight_decay: float) -> None:
        """Keep the parameters and where each of them is heading."""
        self._parameters: list[torch.Tensor] = list(parameters)
        self._lr, self._decay = lr, weight_decay
        self._means = [torch.zeros_like(one) for one in self._parameters]
        self._squares = [torch.zeros_like(one) for one in self._parameters]
        self._steps = [torch.zeros(()) for _ in self._parameters]

    @torch.no_grad()
    def step(self, loss: torch.Tensor) -> None:
        """Move all parameters down the slope of *loss*, which is level for those it does not depend on."""
        slopes = list(torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True))
        beta, beta_of_squares = BETAS
        adamw(
            self._parameters, slopes, self._means, self._squares, [], self._steps, fused=True, amsgrad=False,
            beta1=beta, beta2=beta_of_squares, lr=self._lr, weight_decay=self._decay, eps=EPSILON, maximize=False,
        )  # fmt: skip

"""The steps are those of PyTorch's own class, and PyTorch's compiler stays out."""

import subprocess
import sys

import torch

from components.fuse.adamw import AdamW


def descended(ours: bool) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 3, generator=generator), torch.randn(40, generator=generator)
    parameters = [torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.zeros(()))]
    search = AdamW(parameters, 0.1, 0.01) if ours else torch.optim.AdamW(parameters, 0.1, weight_decay=0.01, fused=True)
    for _ in range(25):
        loss = ((x @ parameters[0] + parameters[1] - y) ** 2).mean()
        if isinstance(search, AdamW):
            search.step(loss)
        else:
            for one, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                one.grad = slope
            search.step()
    return [one.detach() for one in parameters]


def test_it_steps_as_the_class_does() -> None:
    assert all(torch.equal(one, other) for one, other in zip(descended(True), descended(False), strict=True))


def test_the_compiler_is_not_imported() -> None:
    code = (
        "import sys, torch; from components.fuse.adamw import AdamW; p = torch.nn.Parameter(torch.ones(2)); "
        "AdamW([p], 0.1, 0.0).step((p * p).sum()); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The gate of a blend: how its weights change with the context, w(x) = W + sum over h of act(a_h · z(x)) · out_h.

The weights of a candidate depend on its context alone, so its score is still the sum of what the members say, each
times a weight, and an explanation is still exact. Smooth units (tanh) learn any mixture of moments; steps divide the
users into segments, each with weights of its own.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from components.common.config import Config
from serving.arrays import Floats
from serving.calibration import FEATURES
from serving.context import CONTEXT, OF_USER

Rows = tuple[tuple[float, ...], ...]
Units = Annotated[Rows, Field(min_length=1)]


class Gate(Config):
    """H units over G' inputs; each, as far as it is on, adds its K x F numbers to the weights of a blend."""

    inputs: tuple[str, ...] = Field(min_length=1, description="names out of serving.context.CONTEXT")
    center: tuple[float, ...] = Field(description="by input: z = (x - center) / scale")
    scale: tuple[float, ...] = Field(description="by input, above 0")
    hidden: Units = Field(description="H rows of one number by input, then the bias")
    activation: Literal["tanh", "step"] = Field(description="step: 1 where a · z + bias >= 0, else 0")
    out: Units = Field(description="H rows of K x F weights, member by member, features as in serving.calibration")

    @model_validator(mode="after")
    def _fits(self) -> "Gate":
        size, width = len(self.inputs), len(self.out[0])
        unknown = [name for name in self.inputs if name not in CONTEXT]
        if unknown or len(set(self.inputs)) != size:
            raise ValueError(f"inputs are {self.inputs}; expected distinct names out of {CONTEXT}")
        if len(self.center) != size or len(self.scale) != size or min(self.scale) <= 0:
            raise ValueError(f"found {len(self.center)} centers, scales {self.scale}; expected {size}, scales above 0")
        if len(self.hidden) != len(self.out) or any(len(row) != size + 1 for row in self.hidden):
            raise ValueError(f"hidden must have {len(self.out)} rows, as `out`, of {size + 1} numbers")
        if width == 0 or width % len(FEATURES) or any(len(row) != width for row in self.out):
            raise ValueError(f"rows of `out` must be equally long: {len(FEATURES)} numbers for each member")
        return self

    @property
    def size(self) -> int:
        """K, how many members it weighs."""
        return len(self.out[0]) // len(FEATURES)

    def of(self, places: Sequence[int]) -> "Gate":
        """The gate over the members at *places* alone."""
        tables = (np.array(row).reshape(self.size, len(FEATURES))[list(places)].ravel() for row in self.out)
        return Gate(
            inputs=self.inputs,
            center=self.center,
            scale=self.scale,
            hidden=self.hidden,
            activation=self.activation,
            out=tuple(tuple(table.tolist()) for table in tables),
        )

    def extra(self, context: Floats) -> Floats:
        """What is added to the weights of the blend.

        Args:
            context: (n, c, len(CONTEXT)) from `ContextReader.read`.

        Returns:
            (n, c, K, F) float32, members in the order of the blend.
        """
        n, c, _ = context.shape
        added: Floats = np.matmul(self.on(context).transpose(0, 2, 1), self.table)
        return added.reshape(n, c, self.size, len(FEATURES))

    def on(self, context: Floats) -> Floats:
        """(n, H, c) how far each unit is on in the (n, c, len(CONTEXT)) *context*."""
        slopes, bias, _, _ = self._arrays
        level: Floats = np.matmul(slopes, context.transpose(0, 2, 1))
        level += bias[:, None]
        return np.tanh(level, out=level) if self.activation == "tanh" else (level >= 0).astype(np.float32)

    @property
    def units(self) -> tuple[Floats, Floats, bool, int]:
        """(H, G) slopes and (H,) biases over the whole context, read-only, and are the units steps.

        Last how many of the first numbers of the context are all that the gate reads, where those are about the user
        alone; 0 where it reads more.
        """
        slopes, bias, _, alike = self._arrays
        return slopes, bias, self.activation == "step", alike

    @property
    def table(self) -> Floats:
        """(H, K x F) what each unit adds, read-only."""
        return self._arrays[2]

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats, int]:
        """(H, G) slopes and (H,) biases over the whole context as it comes, and (H, K x F) out; last as in `units`."""
        hidden = np.array(self.hidden)
        inner = hidden[:, :-1] / np.array(self.scale)
        slopes = np.zeros((len(hidden), len(CONTEXT)))
        slopes[:, [CONTEXT.index(name) for name in self.inputs]] = inner
        bias = hidden[:, -1] - inner @ np.array(self.center)
        alike = 0 if slopes[:, OF_USER:].any() else OF_USER
        return _frozen(slopes), _frozen(bias), _frozen(np.array(self.out)), alike


def _frozen(values: npt.NDArray[np.float64]) -> Floats:
    array = values.astype(np.float32)
    array.setflags(write=False)
    return array

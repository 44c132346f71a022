"""Fine-tunes a BERT-class encoder on what a shop's own texts and searches say belongs together.

Pairs are a query and an item that was taken after it, and an item's title and its description. In a batch the own
partner has to outscore those of the others (cross-entropy over cosines, both ways). Only the last layers move, and what
is learned is kept only if pairs that were held out find each other more often.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from tokenizers import Tokenizer
from torch.nn import functional

from components.common.config import Config
from components.common.errors import ConfigError
from components.train_text.bert import DEFAULT_PACKAGE, LastHidden, load_bert, locate, write_model
from components.train_text.together import Group, together
from serving.encoder import TOKENIZER_FILE

Pair = tuple[str, str]
Coded = tuple[torch.Tensor, torch.Tensor]


class FineTuneConfig(Config):
    """Numbers of the fine-tuning."""

    epochs: int = Field(1, ge=1, description="passes over the pairs")
    learning_rate: float = Field(5e-5, gt=0, description="of AdamW, rising over the first tenth, then falling to 0")
    batch_size: int = Field(32, ge=2, description="pairs that are told apart at once")
    layers: int = Field(2, ge=1, description="last layers that may move")
    temperature: float = Field(0.05, gt=0, description="of the softmax over cosines")
    max_tokens: int = Field(32, ge=4, description="of a text")
    most_pairs: int = Field(6_000, ge=1, description="learned from; drawn if there are more")
    held_out: float = Field(0.1, gt=0, lt=1, description="share of the pairs that judge")


@dataclass(frozen=True)
class Tuned:
    """What came of it: pairs learned from and held out; the held-out share with its partner first, before and after."""

    pairs: int
    held_out: int
    before: float
    after: float
    loss: float = 0.0  # mean over the batches of the last epoch

    @property
    def kept(self) -> bool:
        """Is the tuned model better than the one it came from."""
        return self.after > self.before


def fine_tune(
    pairs: Sequence[Pair], out: Path, seed: int, source: str = DEFAULT_PACKAGE, config: FineTuneConfig | None = None
) -> Tuned:
    """Tune the BERT of *source* and write it to *out*, a folder that `cuvee run --encoder` takes.

    Under torchrun all processes tune one model, each on its share of every batch; the first one writes.

    Args:
        pairs: texts that belong together.
        out: folder to write; the model as it was, where tuning did not help.
        seed: divides and orders the pairs.
        source: folder or package of the model.
        config: numbers.

    Raises:
        ConfigError: no such model, or too few pairs to learn from and to judge by.
    """
    with together() as group:
        tuned, model = tune(pairs, seed, group, source, config)
        if group.leads:
            write_model(model, locate(source), out, name="tuned" if tuned.kept else "minilm", package=source)
    return tuned


def tune(
    pairs: Sequence[Pair], seed: int, group: Group, source: str = DEFAULT_PACKAGE, config: FineTuneConfig | None = None
) -> tuple[Tuned, LastHidden]:
    """The same without writing: what came of it, and the better of the tuned model and the one it came from."""
    config = config or FineTuneConfig()
    distinct = sorted(set(pairs))
    order = np.random.default_rng(seed).permutation(len(distinct))[: config.most_pairs]
    aside = int(len(order) * config.held_out)
    if aside < 2 or len(order) - aside < config.batch_size:
        raise ConfigError(f"fine-tuning: found {len(distinct)} distinct pairs of texts, expected at least "
                          f"{max(int(2 / config.held_out) + 1, 2 * config.batch_size)}.")  # fmt: skip
    judge, learn = ([distinct[at] for at in part] for part in np.split(order, [aside]))
    torch.manual_seed(seed)
    model, plain = load_bert(source), load_bert(source)
    texts = Texts(locate(source), config.max_tokens)
    before = found_first(model, texts, judge)
    loss = _train(model, texts, learn, config, seed, group)
    tuned = Tuned(len(learn), len(judge), before, found_first(model, texts, judge), loss)
    return tuned, model if tuned.kept else plain


class Texts:
    """Texts to ids and masks, cut and padded."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        self._tokenizer.enable_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def coded(self, texts: Sequence[str]) -> Coded:
        """(n, tokens) ids and masks."""
        coded = self._tokenizer.encode_batch(list(texts))
        ids, mask = (torch.tensor([getattr(one, name) for one in coded]) for name in ("ids", "attention_mask"))
        return ids, mask

    def vectors(self, model: LastHidden, texts: Sequence[str]) -> torch.Tensor:
        """(n, d) means of the last layer over the real tokens, of length one: as serving takes them."""
        return mean_vectors(model, self.coded(texts))


def mean_vectors(model: LastHidden, coded: Coded) -> torch.Tensor:
    """(n, d) of the texts that (n, tokens) ids and mask are; see `Texts.vectors`."""
    ids, mask = coded
    hidden = model(ids, mask)
    weights = mask[:, :, None].to(hidden.dtype)
    return functional.normalize((hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1), dim=1)


class BothSides(torch.nn.Module):
    """Pairs of texts to pairs of vectors, in one call: a model that several processes train is called once a step."""

    def __init__(self, model: LastHidden) -> None:
        super().__init__()
        self.model = model

    def forward(self, first: Coded, second: Coded) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, d) vectors of either side."""
        return mean_vectors(self.model, first), mean_vectors(self.model, second)


def found_first(model: LastHidden, texts: Texts, pairs: Sequence[Pair]) -> float:
    """The share of *pairs* whose second text is nearer to the first than any other second text is."""
    model.eval()
    with torch.no_grad():
        first, second = (texts.vectors(model, [pair[side] for pair in pairs]) for side in (0, 1))
    return float((first @ second.T).argmax(dim=1).eq(torch.arange(len(pairs))).float().mean())


def _train(
    model: LastHidden, texts: Texts, pairs: Sequence[Pair], config: FineTuneConfig, seed: int, group: Group
) -> float:
    """Move the last layers; returns the mean loss of the last epoch."""
    moving = _moving(model, config.layers)
    sides = group.wrapped(BothSides(model))
    optimizer = torch.optim.AdamW(moving, lr=config.learning_rate)
    batches = len(pairs) // config.batch_size * config.epochs
    warm = max(batches // 10, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (batches - step) / max(batches - warm, 1))
    )
    draw, losses = np.random.default_rng(seed), [0.0]
    model.eval()  # no dropout: few steps, and the same twice
    for _ in range(config.epochs):
        order, losses = draw.permutation(len(pairs)), []
        for start in range(0, len(order) - config.batch_size + 1, config.batch_size):
            batch = [pairs[at] for at in order[start : start + config.batch_size]]
            own = group.share(batch)
            first, second = sides(*(texts.coded([pair[side] for pair in own]) for side in (0, 1)))
            loss = _loss(group.gathered(first), group.gathered(second), batch, config.temperature)
            optimizer.zero_grad()
            (loss * group.size).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(moving, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return float(np.mean(losses))


def _loss(first: torch.Tensor, second: torch.Tensor, batch: Sequence[Pair], temperature: float) -> torch.Tensor:
    """Cross-entropy of the own partner among the batch's, from either side; equal texts are no rivals.

    Args:
        first: (n, d) vectors of the first texts of the *batch*.
        second: (n, d) of the second.
        batch: n pairs.
        temperature: of the softmax.
    """
    sides = [[pair[side] for pair in batch] for side in (0, 1)]
    scores = first @ second.T / temperature
    same = torch.tensor([[one == other for other in side] for side in sides[:1] for one in side])
    same |= torch.tensor([[one == other for other in sides[1]] for one in sides[1]])
    scores = scores.masked_fill(same & ~torch.eye(len(batch), dtype=torch.bool), float("-inf"))
    own = torch.arange(len(batch))
    return (functional.cross_entropy(scores, own) + functional.cross_entropy(scores.T, own)) / 2


def _moving(model: LastHidden, layers: int) -> list[torch.nn.Parameter]:
    """The parameters of the last *layers*; all others stand still."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    encoder = model.bert.encoder.layer[-layers:]  # type: ignore[union-attr,index]
    moving = [parameter for layer in encoder for parameter in layer.parameters()]
    for parameter in moving:
        parameter.requires_grad_(True)
    return moving

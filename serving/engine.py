"""The engine: recall, score, fuse and explain a batch of queries; the same code online, in batch and in evaluation."""

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.common.config import ShopConfig
from components.common.files import read_json
from serving.ads import CLICKS_FILE, ClickModel, Shown
from serving.answer import answer
from serving.arrays import PAD, Bools, Floats, Ints, top_k
from serving.audience import AUDIENCE_FILE, AudienceModel
from serving.blend import Fusion
from serving.breaker import SkippedError
from serving.campaigns import Campaigns
from serving.catalogue import Catalogue
from serving.context import ContextReader
from serving.deadline import part
from serving.encoder import TextEncoder
from serving.glossary import Glossary
from serving.hidden import Hidden
from serving.image_encoder import ImageEncoder
from serving.instances import Instance
from serving.members.base import Member, NotScoredError, load_members
from serving.members.relations import rivals
from serving.opinion import LARGE, Opinion, Rows, all_at
from serving.pool import Pool, Ranking, union
from serving.queries import ADS, CAMPAIGN, DISCOVERY, NEXT_BASKET, RECOMMEND, SEARCH, Queries
from serving.ranking import rank_with
from serving.release import Manifest, verify
from serving.rules.book import Rulebook
from serving.rules.ranking import rank_by_rules
from serving.rules.reading import RULES_FILE
from serving.rules.reading import load as load_rules
from serving.rules.schema import STANDARD, Rules
from serving.states import UserStates

if TYPE_CHECKING:
    from serving.features import StatePort

log = logging.getLogger(__name__)
RECALL = 100
IMAGE_ENCODER = "image_encoder"  # the folder beside the text encoder's
VECTORS = ("als", "pca", "sequence")  # members in whose vectors likeness is measured, the first that is there


class Engine:
    """A release (or, while fusion is being fitted, the members of one cut) ready to rank.

    A task is what a blend is fitted for: `discovery` and `next_basket` of scenario recommend, else the scenario.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        shop: ShopConfig,
        members: Mapping[str, Member],
        fusion: Fusion | None = None,
        encoder: TextEncoder | None = None,
        rules: Rules = STANDARD,
        image_encoder: ImageEncoder | None = None,
    ) -> None:
        self.catalogue, self.shop, self.members, self.fusion = catalogue, shop, dict(members), fusion
        self.encoder, self.image_encoder = encoder, image_encoder
        self.glossary = glossary_of(self.members)
        self.context = ContextReader(catalogue, shop.ordinal_time, vectors_of(self.members))
        self._rivals = rivals(self.members)
        self.rulebook = Rulebook(rules, catalogue, self.context.vectors, self._rivals)
        self.campaigns, self.shown = Campaigns.none(), Shown()
        self.click_model: ClickModel | None = None
        self.audience: AudienceModel | None = None
        self.degraded: tuple[str, ...] = ()  # what every answer has to do without
        self.manifest: Manifest | None = None
        self.digest, self.as_of = "", 0
        self.large = len(catalogue) >= LARGE  # do members say what they can without scoring everything
        if self.large:
            for member in self.members.values():
                member.ready()

    @classmethod
    def assemble(
        cls, catalogue: Catalogue, shop: ShopConfig, folders: list[Path], encoder: Path | None, fusion: Fusion | None
    ) -> "Engine":
        """An engine over the members found in several training folders."""
        members: dict[str, Member] = {}
        for folder in folders:
            members |= load_members(folder, catalogue)
        loaded = TextEncoder.load(encoder) if encoder and encoder.exists() else None
        looks = encoder.with_name(IMAGE_ENCODER) if encoder else None
        image_encoder = ImageEncoder.load(looks) if looks and looks.exists() else None
        return cls(catalogue, shop, dict(sorted(members.items())), fusion, loaded, image_encoder=image_encoder)

    @classmethod
    def load(cls, release: Path, before: "Engine | None" = None) -> "Engine":
        """The engine of a release; every byte is verified first. Models that *before* has already are taken over.

        Raises:
            ReleaseError: the release is damaged, or does not fit together.
        """
        manifest, fusion = verify(release), Fusion.load(release / "fusion.json")
        if before is not None and manifest.same_models(before.manifest):
            models = before.catalogue, before.shop, before.members
            engine = cls(*models, fusion, before.encoder, image_encoder=before.image_encoder)
        else:
            catalogue = Catalogue.load(release / "catalogue.parquet")
            shop = ShopConfig(**read_json(release / "shop.json"))
            engine = cls.assemble(catalogue, shop, [release / "members"], release / "encoder", fusion)
        engine = engine.with_rules(load_rules(release / RULES_FILE))
        engine.campaigns = Campaigns.load(release, engine.catalogue)
        engine.click_model = ClickModel.load_if_any(release / CLICKS_FILE)
        engine.audience = AudienceModel.load_if_any(release / AUDIENCE_FILE)
        engine.manifest, engine.digest, engine.as_of = manifest, manifest.release, manifest.as_of or 0
        return engine

    @property
    def rules(self) -> Rules:
        """The rules that are followed."""
        return self.rulebook.rules

    def with_rules(self, rules: Rules, degraded: tuple[str, ...] = ()) -> "Engine":
        """An engine over the same release that follows *rules*; this one stays as it is, with what it is answering."""
        other = copy.copy(self)
        other.rulebook = Rulebook(rules, self.catalogue, self.context.vectors, self._rivals)
        other.degraded = degraded
        return other

    def queries(self, scenario: str, states: UserStates, texts: tuple[str, ...] | None = None) -> Queries:
        """Make a batch of queries; texts are put into the catalogue's words and encoded once, here."""
        if texts is None:
            return Queries(scenario, states)
        asked, meant = texts, texts
        if self.glossary is not None:
            asked = tuple(map(self.glossary.asked, texts))
            if self.encoder is not None and not self.encoder.reads_chinese:
                meant = tuple(map(self.glossary.meant, texts))
        vectors = self.encoder.encode_queries(meant) if self.encoder else None
        return Queries(scenario, states, asked, vectors)

    def with_photos(self, queries: Queries, photos: Sequence[bytes | None]) -> Queries:
        """*queries*, some of which bring a photo instead of a text, or beside one; as they are if nothing can look.

        Raises:
            BadMediaError: a photo cannot be used.
        """
        if self.image_encoder is None or not any(photos):
            return queries
        texts = queries.text_vectors
        if texts is not None and queries.texts is not None:
            blank = [not text.strip() for text in queries.texts]
            texts = np.where(np.array(blank)[:, None], np.float32(np.nan), texts)
        return replace(queries, text_vectors=texts, image_vectors=self.image_encoder.encode_asked(photos))

    def full_scores(self, queries: Queries, task: str, allowed: Bools | None = None) -> dict[str, Floats]:
        """By member: (n, n_items) scores; -inf for items that must not be shown.

        Args:
            queries: the batch.
            task: what the release's rules hide depends on it.
            allowed: (n, n_items) or (n_items,) further restriction, e.g. filters.
        """
        hidden = self.rulebook.hidden(task, queries.states)
        return {
            name: Rows.masked(member.score_all(queries), hidden, allowed).scores
            for name, member in self._asked(queries, task)
        }

    def bearable_scores(
        self, queries: Queries, task: str, allowed: Bools | None = None, anything: bool = False
    ) -> tuple[dict[str, Opinion], list[str]]:
        """What the members say; one that raises or comes too late is left out, the second value names those.

        Args:
            queries: the batch.
            task: what the release's rules hide depends on it.
            allowed: (n, n_items) or (n_items,) further restriction; asks for whole rows, as *anything* does.
            anything: are items shown that nobody has recalled.
        """
        hidden, failed = self.rulebook.hidden(task, queries.states), []
        found: dict[str, Opinion] = {}
        brief = allowed is None and not anything
        for name, member in self._asked(queries, task):
            try:
                with part(f"member:{name}", needed=not found):
                    told = _said(member, queries, hidden, allowed, brief and (self.large or member.prompt))
                    told.best(RECALL)
                    found[name] = told
            except (NotScoredError, SkippedError):
                failed.append(f"member:{name}")
            except Exception:
                log.exception("member %s failed; the blend goes on without it", name)
                failed.append(f"member:{name}")
        return found, failed

    def pool(self, queries: Queries, task: str, allowed: Bools | None = None, recall: int = RECALL) -> Pool:
        """Recall `recall` items per channel and gather every member's scores over their union, as answers do.

        In a large catalogue members score everything here, so that nothing an index misses is missing.
        """
        hidden, brief = self.rulebook.hidden(task, queries.states), allowed is None and not self.large
        said = {
            name: _said(member, queries, hidden, allowed, brief and member.prompt)
            for name, member in self._asked(queries, task)
        }
        return self.pool_of(queries, said, task, recall)

    def pool_of(
        self,
        queries: Queries,
        said: Mapping[str, Floats | Opinion],
        task: str,
        recall: int = RECALL,
        anything: bool = False,
    ) -> Pool:
        """The pool of what the members say of *queries*; *anything*: with items nobody has recalled."""
        opinions = {name: told if isinstance(told, Opinion) else Rows(told) for name, told in said.items()}
        channels = {name: opinion.best(recall) for name, opinion in opinions.items()}
        finding = [found for name, found in channels.items() if self._finds(name, queries.scenario)]
        shown = [first_shown(opinions, recall)] if anything else []
        candidates = union([*(finding or channels.values()), *shown], len(self.catalogue))
        pool = self._pool(queries, opinions, candidates, channels)
        pinned = _not_recalled(self.rulebook.pinned(task, queries.states), candidates, opinions)
        if (pinned == PAD).all():
            return pool
        return pool.reaching(self._pool(queries, opinions, pinned, {}))

    def score_items(self, queries: Queries, candidates: Ints) -> Pool:
        """Every member's scores of given (n, c) candidates (-1 padding), for judged lists."""
        rows = {name: Rows(member.score_all(queries)) for name, member in self._asked(queries, queries.scenario)}
        return self._pool(queries, rows, candidates, {})

    def rank(
        self,
        pool: Pool,
        task: str,
        k: int,
        method: str | None = None,
        weights: Mapping[str, float] | None = None,
        scenario: str | None = None,
    ) -> Ranking:
        """The k best of a pool by the task's chosen blend, or by another *method* of the release; see `blended`."""
        if self.fusion is None:
            raise ValueError("this engine has no fusion: fit one first")
        blend = self.fusion.blend(self.blended(scenario or task, task), method)
        if self.rulebook.orders(task):
            return rank_by_rules(pool, blend, k, self.rulebook, task, weights)
        return rank_with(pool, blend, k, weights)

    def task(self, scenario: str, new_only: bool | None = None) -> str:
        """The task a request asks for; discovery or next basket by the request, else by the shop.

        Of a campaign's items those that the user takes again and again are welcome, unless the request says otherwise.
        """
        if scenario not in (RECOMMEND, CAMPAIGN, ADS):
            return scenario
        asked = DISCOVERY if new_only else NEXT_BASKET
        wanted = self.shop.task if new_only is None and scenario != CAMPAIGN else asked
        return wanted if self.fusion is None or wanted in self.fusion.tasks else DISCOVERY

    def blended(self, scenario: str, task: str) -> str:
        """Whose blend ranks: the task's own, but new items of campaigns have one of their own where it was learned."""
        own = scenario == CAMPAIGN and task == DISCOVERY and self.fusion is not None and CAMPAIGN in self.fusion.tasks
        return CAMPAIGN if own else task

    def serves(self, scenario: str, new_only: bool | None = None) -> bool:
        """Does the release hold what *scenario* takes: a blend, and where it is about campaigns, campaigns."""
        blended = self.fusion is not None and self.task(scenario, new_only) in self.fusion.tasks
        if scenario == CAMPAIGN:
            return blended and len(self.campaigns.promotions) > 0
        return blended and (scenario != ADS or (self.click_model is not None and len(self.campaigns.ads) > 0))

    def answer(self, instances: Sequence[Instance], port: "StatePort | None", as_of: int) -> list[dict[str, Any]]:
        """Answer parsed requests; see serving.answer."""
        return answer(self, instances, port, as_of)

    def _asked(self, queries: Queries, task: str) -> list[tuple[str, Member]]:
        """The members with something to say about the question."""
        return [
            (name, member)
            for name, member in self.members.items()
            if self._speaks(name, queries.scenario, task) and not (member.met_only and self.rulebook.hides_met(task))
        ]

    def asks_of_users(self, scenario: str) -> bool:
        """Does an answer to *scenario* depend on who asks."""
        if scenario != SEARCH:
            return scenario in (RECOMMEND, CAMPAIGN)
        return any(
            SEARCH in member.weighs and self._speaks(name, SEARCH, SEARCH) for name, member in self.members.items()
        )

    def _finds(self, name: str, scenario: str) -> bool:
        return self.members[name].recalls and scenario in self.members[name].scenarios

    def _speaks(self, name: str, scenario: str, task: str) -> bool:
        """Does the member answer the scenario, or weigh what others found, where the task's blend asks it to."""
        member = self.members[name]
        if scenario in member.scenarios or self.fusion is None:
            return scenario in member.scenarios | member.weighs
        return scenario in member.weighs and task in self.fusion.tasks and self.fusion.blend(task).weighs(name)

    def _pool(self, queries: Queries, said: Mapping[str, Opinion], candidates: Ints, channels: dict[str, Ints]) -> Pool:
        scores = all_at(list(said.values()), candidates).transpose(0, 2, 1)
        context = self.context.read(queries.states, candidates)
        traces = self.context.traces(queries.states, candidates)
        return Pool(candidates, scores, tuple(said), channels, context, traces, queries.states)


def _said(member: Member, queries: Queries, hidden: Hidden, allowed: Bools | None, brief: bool) -> Opinion:
    """What a member says without scoring everything, where it is *brief* and can be; else whole rows."""
    told = member.opinion(queries, hidden) if brief else None
    return told if told is not None else Rows.masked(member.score_all(queries), hidden, allowed)


def vectors_of(members: Mapping[str, Member]) -> Floats | None:
    """(n_items, d) in which items that the same users take are alike, from the first of `VECTORS` there is."""
    found = (members[name].item_vectors for name in VECTORS if name in members)
    return next((vectors for vectors in found if vectors is not None), None)


def glossary_of(members: Mapping[str, Member]) -> Glossary | None:
    """The first glossary that a member has."""
    return next((member.glossary for member in members.values() if member.glossary is not None), None)


def first_shown(said: Mapping[str, Opinion], k: int) -> Ints:
    """(n, k) the first catalogue rows that are not hidden, -1 after the last; of opinions that are whole rows."""
    rows = next(opinion.scores for opinion in said.values() if isinstance(opinion, Rows))
    return top_k(np.where(np.isneginf(rows), -np.inf, 0).astype(np.float32), k)


def _not_recalled(wanted: Ints, candidates: Ints, said: Mapping[str, Opinion]) -> Ints:
    """(n, e) those of *wanted* (n, e) that are neither candidates already nor hidden; -1 for the rest.

    Where nothing at all was recalled, a pin does not make an answer of its own.
    """
    if not wanted.size:
        return wanted
    nothing = (candidates == PAD).all(axis=1, keepdims=True)
    recalled = (wanted[:, :, None] == candidates[:, None, :]).any(axis=2)
    hidden = np.logical_and.reduce([opinion.hides(wanted) for opinion in said.values()])
    return np.where(nothing | recalled | hidden, PAD, wanted).astype(np.int32)

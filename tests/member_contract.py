"""The contract every member of the blend keeps, as a test class to subclass; and the shop with planted answers.

A member's test file says `from member_contract import MemberContract` (pytest needs `pythonpath = ["tests"]`),
subclasses it and gives `train`; a member that needs more than the prepared shop makes it there.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from components.common import columns as c
from components.common.config import Config, ShopConfig
from components.common.errors import ConfigError
from components.common.files import read_json
from components.common.prepared import Cut, Prepared, Split
from components.package.smaller import IN_BYTES, make_smaller
from serving.arrays import Bools, Floats, Ints, Longs
from serving.catalogue import Catalogue
from serving.members.base import MEMBER_FILE, Member, load_members
from serving.queries import RECOMMEND, Queries
from serving.states import UserStates

DAY = 86_400_000_000
ROUNDED = 0.03  # of a user's spread of scores, what numbers kept in a byte may move one
START = 1_700_000_000_000_000
GROUPS, GROUP_SIZE, USERS, VISITS = 3, 5, 48, 6
COLD = GROUPS * GROUP_SIZE  # the row of the one item nobody ever met
WORDS = ("coffee beans roast", "garden hose sprinkler", "violin strings rosin")
LOADABLE = {".json", ".npy", ".npz", ".onnx"}


def group_of(rows: Longs | Ints) -> Longs:
    """The group of each user or warm item by row: they go round."""
    return np.asarray(rows, dtype=np.int64) % GROUPS


def planted_events(seed: int, ordinal: bool = False) -> pd.DataFrame:
    """User u meets only items of its group u % 3, one a visit, four of the five before the last two visits."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(USERS):
        own = np.arange(GROUP_SIZE) * GROUPS + user % GROUPS
        order = np.roll(own, -(user // GROUPS) % GROUP_SIZE)
        for visit in range(VISITS):
            hours = 0 if ordinal else int(rng.integers(0, 12))
            at = START + (visit * 14) * DAY + hours * 3_600_000_000
            rows.append((user, order[visit % GROUP_SIZE], "purchase", at, 1.0, visit, VISITS - 1 - visit))
    names = [c.USER, c.ITEM, c.EVENT, c.TIMESTAMP, c.VALUE, c.VISIT, c.FROM_END]
    events = pd.DataFrame(rows, columns=names)
    events[c.TIMESTAMP] = pd.to_datetime(events[c.TIMESTAMP], unit="us", utc=True).astype("datetime64[us, UTC]")
    return events.astype({c.USER: "int32", c.ITEM: "int32", c.VISIT: "int32", c.FROM_END: "int32"})


def planted_items() -> pd.DataFrame:
    """Fifteen warm items in three groups with their own words, categories and brands, and one cold item."""
    rows = np.arange(COLD + 1)
    words = [WORDS[row % GROUPS] for row in rows]
    price = 5.0 + rows
    return pd.DataFrame(
        {
            c.ITEM_ID: [f"i{row:02d}" for row in rows],
            c.TITLE: [f"{text} number{row}" for row, text in zip(rows, words, strict=True)],
            c.DESCRIPTION: words,
            c.CATEGORY: [f"shop{c.CATEGORY_SEPARATOR}{text.split()[0]}" for text in words],
            c.BRAND: [f"brand {text.split()[-1]}" for text in words],
            c.PRICE: price,
            c.PRICE_NORM: ((np.log(price) - np.log(price).mean()) / np.log(price).std()).astype(np.float32),
            c.AVAILABLE: True,
            c.IMAGE: "",
            c.CREATED_AT: pd.Timestamp(START, unit="us", tz="UTC"),
            c.ATTRIBUTES: "{}",
        }
    )


def planted_shop(seed: int = 0, protocol: str = "temporal") -> Prepared:
    """Three groups of users and items that never mix; temporal cuts at visits 4 and 5, or leave-one-out.

    Row 15 is an item without events. With `leave-one-out` the timestamps are an order only.
    """
    users = pd.DataFrame({c.USER_ID: [f"u{user:02d}" for user in range(USERS)], c.PROFILE: "{}"})
    cuts: tuple[Cut, ...]
    if protocol == "temporal":
        edges = [START + (visit * 14 - 1) * DAY for visit in (4, 5, 6)]
        cuts = (
            Cut(name="fit_1", role="fit", members="fit_1", as_of=edges[0], until=edges[1]),
            Cut(name="test", role="test", members="final", as_of=edges[1], until=edges[2]),
        )
    else:
        cuts = (
            Cut(name="fit", role="fit", members="all", hold_out=1),
            Cut(name="test", role="test", members="all", hold_out=0),
        )
    ordinal = protocol != "temporal"
    events = planted_events(seed, ordinal)
    last = int(events[c.TIMESTAMP].astype("int64").max())
    split = Split.parse(
        {
            "protocol": protocol,
            "seed": seed,
            "cuts": [cut.model_dump() for cut in cuts],
            "repeats": protocol == "temporal",
            "target_events": ("purchase",),
            "last_event": last,
        },
        "planted shop",
    )
    return Prepared(events, planted_items(), users, split, ShopConfig.parse({"ordinal_time": ordinal}, "planted shop"))


def state_rows(events: pd.DataFrame, users: Sequence[int], catalogue: Catalogue) -> list[dict[str, Any] | None]:
    """Feature rows of *users* as Feast would give them; None for users without events."""
    rows: list[dict[str, Any] | None] = []
    for user in users:
        own = events[events[c.USER] == user]
        at = own[c.TIMESTAMP].astype("int64")
        grouped = at.groupby(own[c.ITEM].to_numpy())
        row = {
            c.ITEM_IDS: [catalogue.ids[item] for item in grouped.max().index],
            c.LAST_AT: grouped.max().tolist(),
            c.FIRST_AT: grouped.min().tolist(),
            c.COUNTS: grouped.size().astype(float).tolist(),
        }
        rows.append(row if len(own) else None)
    return rows


def planted_states(prepared: Prepared, cut: Cut, users: Sequence[int]) -> UserStates:
    """What is known of *users* when *cut* is answered."""
    catalogue = Catalogue(prepared.items)
    as_of = np.full(len(users), cut.as_of or prepared.split.last_event, dtype=np.int64)
    rows = state_rows(prepared.history(cut), users, catalogue)
    return UserStates.from_rows([f"u{user:02d}" for user in users], rows, as_of, catalogue)


class MemberContract:
    """Subclass, name it Test…, and give `member`, `train` and, where the defaults do not fit, the rest."""

    member: ClassVar[type[Member]]
    config: ClassVar[type[Config] | None] = None  # the trainer's configuration class
    scores_strangers: ClassVar[bool] = False  # does a user without history get scores
    protocol: ClassVar[str] = "temporal"

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        """Train on prepared.train(cut) and write the member's folder."""
        raise NotImplementedError

    def queries(self, states: UserStates) -> Queries:
        """The questions asked; search members give texts here."""
        return Queries(RECOMMEND, states)

    def right_answers(self, prepared: Prepared, cut: Cut, users: Ints) -> Bools:
        """(n, n_items) the items that must outrank all scored others: here the user's own group, new or not."""
        items = np.arange(len(prepared.items))
        right: Bools = (group_of(users)[:, None] == group_of(items)[None, :]) & (items != COLD)[None, :]
        return right

    @pytest.fixture
    def prepared(self) -> Prepared:
        return planted_shop(protocol=self.protocol)

    @pytest.fixture
    def cut(self, prepared: Prepared) -> Cut:
        return prepared.split.test

    @pytest.fixture
    def catalogue(self, prepared: Prepared) -> Catalogue:
        return Catalogue(prepared.items)

    @pytest.fixture
    def folder(self, prepared: Prepared, cut: Cut, tmp_path: Path) -> Path:
        folder = tmp_path / "members" / self.member.kind
        self.train(prepared, cut, folder, seed=7)
        return folder

    @pytest.fixture
    def loaded(self, folder: Path, catalogue: Catalogue) -> Member:
        return self.member.load(folder, catalogue)

    @pytest.fixture
    def states(self, prepared: Prepared, cut: Cut) -> UserStates:
        return planted_states(prepared, cut, range(12))

    def scores(self, member: Member, states: UserStates) -> Floats:
        return member.score_all(self.queries(states))

    def test_config_round_trip(self, request: pytest.FixtureRequest) -> None:
        if self.config is None:
            self.has_no_numbers(request.getfixturevalue("folder"))
            return
        config = self.config()
        assert self.config.parse(config.model_dump(mode="json"), "test") == config

    def has_no_numbers(self, folder: Path) -> None:
        """What has no configuration writes none."""
        assert set(read_json(folder / MEMBER_FILE)) == {"kind"}

    def test_config_refuses_a_typo(self, request: pytest.FixtureRequest) -> None:
        if self.config is None:
            self.has_no_numbers(request.getfixturevalue("folder"))
            return
        with pytest.raises(ConfigError, match="epohcs"):
            self.config.parse({"epohcs": 3}, "test")

    def test_scores_are_float32_of_the_whole_catalogue(
        self, loaded: Member, states: UserStates, catalogue: Catalogue
    ) -> None:
        scores = self.scores(loaded, states)
        assert scores.shape == (len(states), len(catalogue))
        assert scores.dtype == np.float32
        assert np.isfinite(scores).any(axis=1).all()

    def test_scores_are_finite_or_not_scored(self, loaded: Member, states: UserStates) -> None:
        assert not np.isinf(self.scores(loaded, states)).any()

    def test_a_stranger_is_not_scored_unless_declared(self, loaded: Member, catalogue: Catalogue) -> None:
        stranger = UserStates.from_rows(["x"], [None], np.array([START]), catalogue)
        scored = np.isfinite(self.scores(loaded, stranger))
        assert scored.any() == self.scores_strangers

    def test_only_unknown_items_are_a_stranger(self, loaded: Member, catalogue: Catalogue) -> None:
        row = {c.ITEM_IDS: ["gone"], c.LAST_AT: [START], c.FIRST_AT: [START], c.COUNTS: [1.0]}
        states = UserStates.from_rows(["x"], [row], np.array([START + DAY]), catalogue)
        stranger = UserStates.from_rows(["x"], [None], np.array([START + DAY]), catalogue)
        np.testing.assert_array_equal(self.scores(loaded, states), self.scores(loaded, stranger))

    def test_an_unknown_item_beside_known_ones_changes_nothing(
        self, loaded: Member, prepared: Prepared, cut: Cut, catalogue: Catalogue
    ) -> None:
        row = state_rows(prepared.history(cut), [4], catalogue)[0]
        assert row is not None
        more = {name: [*values, values[-1]] for name, values in row.items()}
        more[c.ITEM_IDS] = [*row[c.ITEM_IDS], "gone"]
        both = UserStates.from_rows(["a", "b"], [row, more], np.array([START + 90 * DAY] * 2), catalogue)
        scores = self.scores(loaded, both)
        np.testing.assert_array_equal(scores[0], scores[1])

    def test_batch_equals_single(self, loaded: Member, states: UserStates) -> None:
        batch = self.scores(loaded, states)
        for row in range(len(states)):
            single = self.scores(loaded, states.take(np.array([row])))
            np.testing.assert_allclose(single[0], batch[row], rtol=1e-6, atol=1e-6)

    def test_a_stranger_in_the_batch_disturbs_nobody(
        self, loaded: Member, prepared: Prepared, cut: Cut, states: UserStates
    ) -> None:
        stranger = USERS + 1
        mixed = planted_states(prepared, cut, [stranger, *range(12), stranger])
        np.testing.assert_allclose(self.scores(loaded, mixed)[1:-1], self.scores(loaded, states), rtol=1e-6, atol=1e-6)

    def test_gathered_scores_are_those_of_the_whole(self, loaded: Member, states: UserStates) -> None:
        candidates = np.tile(np.array([3, -1, 0, COLD], dtype=np.int32), (len(states), 1))
        gathered = loaded.score(self.queries(states), candidates)
        expected = self.scores(loaded, states)[:, [3, 0, 0, COLD]]
        expected[:, 1] = np.nan
        np.testing.assert_allclose(gathered, expected, rtol=1e-6, atol=1e-6)

    def test_the_saved_kind_loads_it_with_the_same_scores(
        self, loaded: Member, folder: Path, catalogue: Catalogue, states: UserStates
    ) -> None:
        members = load_members(folder.parent, catalogue)
        assert list(members) == [folder.name]
        assert type(members[folder.name]) is self.member
        assert read_json(folder / MEMBER_FILE)["kind"] == self.member.kind
        np.testing.assert_array_equal(self.scores(members[folder.name], states), self.scores(loaded, states))

    def test_kept_small_it_says_nearly_the_same(
        self, loaded: Member, folder: Path, catalogue: Catalogue, states: UserStates, tmp_path: Path
    ) -> None:
        whole = self.scores(loaded, states)
        spread = np.nanmax(whole, axis=1, keepdims=True) - np.nanmin(whole, axis=1, keepdims=True)
        for how in IN_BYTES:
            shutil.copytree(folder, tmp_path / how / folder.name)
            make_smaller(tmp_path / how, how)
            small = self.scores(self.member.load(tmp_path / how / folder.name, catalogue), states)
            np.testing.assert_array_equal(np.isnan(small), np.isnan(whole))
            if not how.startswith("pruned"):
                assert (np.isnan(whole) | (np.abs(small - whole) <= ROUNDED * spread)).all(), how

    def test_nothing_that_executes_is_written(self, folder: Path) -> None:
        assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= LOADABLE
        for path in folder.rglob("*.np?"):
            np.load(path, allow_pickle=False)

    def test_training_again_is_bit_identical(self, prepared: Prepared, cut: Cut, folder: Path, tmp_path: Path) -> None:
        self.train(prepared, cut, tmp_path / "again", seed=7)
        again = {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
        assert again == {path.name: path.read_bytes() for path in folder.iterdir()}

    def test_planted_answers_come_first(self, loaded: Member, prepared: Prepared, cut: Cut) -> None:
        users = np.arange(24, dtype=np.int32)
        scores = self.scores(loaded, planted_states(prepared, cut, users.tolist()))
        right = self.right_answers(prepared, cut, users)
        assert right.any(axis=1).all()
        worst_right = np.where(right, scores, np.inf).min(axis=1)
        best_wrong = np.nanmax(np.where(right, -np.inf, scores), axis=1)
        assert (worst_right > best_wrong).all()

"""What was planted is found in the tables by simple means."""

import re

import numpy as np
import pandas as pd
from bazaar_shop import Shop

from components.common import columns as c
from components.ingest.bazaar.config import BazaarConfig
from components.ingest.bazaar.words import GOES_WITH, TYPES
from components.ingest.bazaar.world import make_world

GLAD = re.compile("love|Excellent|great|wonderful|perfect|Very happy|喜欢|很好|满意|太棒")
SORRY = re.compile("disappointed|broke|Terrible|waste|regret|Poor|失望|坏了|很差|后悔")


def bought_of(shop: Shop) -> pd.DataFrame:
    """user and item (row numbers) of every purchase, session."""
    bought = shop.tables["events"].query("event == 'purchase'")
    codes = {"user": bought[c.USER_ID].str[1:].astype(int), "item": bought[c.ITEM_ID].str[1:].astype(int)}
    return pd.DataFrame({**codes, c.SESSION_ID: bought[c.SESSION_ID]})


def test_users_buy_what_they_like_rather_than_what_others_like(shop: Shop) -> None:
    bought, world = bought_of(shop), shop.world
    favourites = np.argsort(-world.users.types, axis=1)[:, :4]
    kinds = world.items.type[bought["item"].to_numpy()]
    own = (favourites[bought["user"]] == kinds[:, None]).any(axis=1).mean()
    others = (favourites[np.roll(bought["user"], 1000)] == kinds[:, None]).any(axis=1).mean()
    assert own > 2.5 * others


def test_every_taste_shows_in_the_purchases(shop: Shop) -> None:
    bought, users, items = bought_of(shop), shop.world.users, shop.world.items
    item, user = bought["item"].to_numpy(), bought["user"].to_numpy()
    stranger = np.roll(user, 1000)
    for taste, facet in ((users.types, items.type), (users.colours, items.colour), (users.patterns, items.pattern),
                         (users.brands, items.brand)):  # fmt: skip
        own, other = taste[user, facet[item]], taste[stranger, facet[item]]
        error = np.std(own - other) / np.sqrt(len(own))
        assert (own - other).mean() > 10 * error
    gap = np.abs(items.price_place[item] - users.price_place[user])
    assert gap.mean() < 0.9 * np.abs(items.price_place[item] - users.price_place[stranger]).mean()


def test_profiles_hint_at_the_taste(shop: Shop) -> None:
    users = shop.world.users
    young, old = (users.types[chosen].mean(axis=0) for chosen in (users.age < 30, users.age > 50))
    assert np.abs(young - old).max() > 0.5


def test_a_visit_buys_complements_together_and_substitutes_never(shop: Shop) -> None:
    bought = bought_of(shop).dropna(subset=[c.SESSION_ID]).drop_duplicates([c.SESSION_ID, "item"])
    pairs = bought.merge(bought, on=c.SESSION_ID).query("item_x != item_y")
    together = pd.MultiIndex.from_frame(pairs[["item_x", "item_y"]]).value_counts()
    relations = shop.tables["relations"]
    codes = pd.MultiIndex.from_arrays([relations[name].str[1:].astype(int) for name in (c.ITEM_ID, c.RELATED_ID)])
    rate = together.reindex(codes).fillna(0).groupby(relations[c.KIND].to_numpy()).mean()
    n = len(shop.world.items)
    assert rate["complement"] > 10 * together.sum() / n**2
    assert rate["complement"] > 10 * rate["substitute"]


def test_a_visit_compares_substitutes(shop: Shop) -> None:
    viewed = shop.tables["events"].query("event == 'view'").drop_duplicates([c.SESSION_ID, c.ITEM_ID])
    kinds = shop.world.items.type[viewed[c.ITEM_ID].str[1:].astype(int)]
    same = viewed.groupby([c.SESSION_ID, kinds]).size().groupby(level=0).max()
    assert (same > 1).mean() > 0.6


def test_no_pair_is_both_and_each_is_what_it_says(shop: Shop) -> None:
    relations, items = shop.tables["relations"], shop.world.items
    assert not relations.duplicated([c.ITEM_ID, c.RELATED_ID]).any()
    one, two = (relations[name].str[1:].astype(int).to_numpy() for name in (c.ITEM_ID, c.RELATED_ID))
    assert (one != two).all()
    substitute = (relations[c.KIND] == "substitute").to_numpy()
    assert (items.type[one[substitute]] == items.type[two[substitute]]).all()
    pairs = zip(items.type[one[~substitute]], items.type[two[~substitute]], strict=True)
    assert all(other in GOES_WITH[kind] for kind, other in pairs)
    assert (items.colour[one[~substitute]] == items.colour[two[~substitute]]).all()
    assert not items.photo_only[one].any()


def test_what_goes_with_what_is_mutual() -> None:
    assert all(kind in GOES_WITH[other] for kind in range(len(TYPES)) for other in GOES_WITH[kind])
    assert all(kind not in GOES_WITH[kind] for kind in range(len(TYPES)))


def test_words_and_stars_follow_the_hidden_quality(shop: Shop) -> None:
    reviews = shop.tables["events"].query("event == 'review'")
    said = reviews[c.TEXT].map(lambda text: bool(GLAD.search(text)) - bool(SORRY.search(text)))
    quality = shop.truth["items"].set_index(c.ITEM_ID)["quality"]
    by_item = pd.DataFrame({"said": said, "stars": reviews[c.VALUE]}).groupby(reviews[c.ITEM_ID])
    enough = by_item.mean()[by_item.size() >= 10]
    assert len(enough) > 100
    assert np.corrcoef(enough["said"], quality[enough.index])[0, 1] > 0.8
    assert np.corrcoef(enough["stars"], quality[enough.index])[0, 1] > 0.8
    assert (said[reviews[c.VALUE] >= 4] == 1).all()
    assert (said[reviews[c.VALUE] <= 2] == -1).all()


def test_reviews_are_in_their_writers_language(shop: Shop) -> None:
    reviews = shop.tables["events"].query("event == 'review'")
    language = shop.tables["users"].set_index(c.USER_ID)["language"]
    chinese = reviews[c.TEXT].str.contains("[\u4e00-\u9fff]")
    assert (chinese == (language[reviews[c.USER_ID]] == "zh").to_numpy()).all()


def test_more_users_leave_the_items_law_as_it_is() -> None:
    one, two = (make_world(BazaarConfig(users=users, items=400, seed=1)).items for users in (40, 4000))
    assert abs(one.quality.mean() - two.quality.mean()) < 0.3

"""What the shop's features are: entities, sources, views and the services that models ask for.

Feast loads this file by its path; nothing imports it. The sources are Parquet files below `CUVEE_STORE`/sources,
written by components/materialize. There is no on-demand or stream view: the registry carries no code.
"""

import os
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureView, Field, FileSource, Project, PushSource, ValueType
from feast.types import Array, Bool, Float32, Int64, String

from components.common import columns as c
from components.common import services

SOURCES = Path(os.environ.get("CUVEE_STORE", "store")).absolute() / "sources"
FOREVER = timedelta(0)  # how old a value may be is decided by the reader, not by Feast


def _source(name: str) -> FileSource:
    return FileSource(name=f"{name}_source", path=str(SOURCES / f"{name}.parquet"), timestamp_field=c.EVENT_TIMESTAMP)


project = Project(name="cuvee", description="Model fusion for a shop's search and recommendations")

user = Entity(name="user", join_keys=[c.USER_ID], value_type=ValueType.STRING, description="a pseudonymous shopper")
item = Entity(name="item", join_keys=[c.ITEM_ID], value_type=ValueType.STRING, description="an article of the shop")

user_behaviour_source = PushSource(name=services.USER_BEHAVIOUR_PUSH, batch_source=_source(services.USER_BEHAVIOUR))

user_behaviour = FeatureView(
    name=services.USER_BEHAVIOUR,
    entities=[user],
    ttl=FOREVER,
    schema=[
        Field(name=c.ITEM_IDS, dtype=Array(String), description="distinct items, oldest first"),
        Field(name=c.LAST_AT, dtype=Array(Int64), description="µs of the last event with each item"),
        Field(name=c.FIRST_AT, dtype=Array(Int64), description="µs of the first event with each item"),
        Field(name=c.COUNTS, dtype=Array(Float32), description="weighted visits with each item"),
        Field(name="events", dtype=Int64, description="events of the user so far"),
    ],
    source=user_behaviour_source,
    description="what a user has met, as of the event timestamp",
)

user_profile = FeatureView(
    name=services.USER_PROFILE,
    entities=[user],
    ttl=FOREVER,
    schema=[Field(name=c.PROFILE, dtype=String, description="JSON object of the users table's columns")],
    source=_source(services.USER_PROFILE),
    description="what the shop knows of a user besides behaviour",
)

item_attributes = FeatureView(
    name=services.ITEM_ATTRIBUTES,
    entities=[item],
    ttl=FOREVER,
    schema=[
        Field(name=c.TITLE, dtype=String),
        Field(name=c.CATEGORY, dtype=String, description="path, ' > ' between levels"),
        Field(name=c.BRAND, dtype=String),
        Field(name=c.PRICE, dtype=Float32, description="in the shop's currency; null where unknown"),
        Field(name=c.PRICE_NORM, dtype=Float32, description="standardised log-price; 0 where unknown"),
        Field(name=c.AVAILABLE, dtype=Bool),
        Field(name=c.ATTRIBUTES, dtype=String, description="JSON object"),
    ],
    source=_source(services.ITEM_ATTRIBUTES),
    description="the items table, cleaned",
)

item_statistics = FeatureView(
    name=services.ITEM_STATISTICS,
    entities=[item],
    ttl=FOREVER,
    schema=[
        Field(name="buyers", dtype=Int64, description="distinct users with an event of the item"),
        Field(name="item_events", dtype=Int64, description="events of the item so far"),
        Field(name="events_28d", dtype=Int64, description="events of the last 28 days"),
        Field(name="mean_price", dtype=Float32, description="mean price of its events; null where unknown"),
    ],
    source=_source(services.ITEM_STATISTICS),
    description="how an item sold, as of the event timestamp",
)

item_text_embedding = FeatureView(
    name=services.ITEM_TEXT_EMBEDDING,
    entities=[item],
    ttl=FOREVER,
    schema=[
        Field(name=c.EMBEDDING, dtype=Array(Float32), description="unit length; empty without an encoder"),
        Field(name="encoder", dtype=String, description="name of the encoder; empty without one"),
    ],
    source=_source(services.ITEM_TEXT_EMBEDDING),
    description="title and description, encoded",
)


def _media_embedding(view: str, told: str) -> FeatureView:
    return FeatureView(
        name=view,
        entities=[item],
        ttl=FOREVER,
        schema=[
            Field(name=c.EMBEDDING, dtype=Array(Float32), description="unit length"),
            Field(name="encoder", dtype=String, description="name and version of the encoder"),
        ],
        source=_source(view),
        description=f"{told}; no row for an item without a usable file",
    )


item_image_embedding = _media_embedding(services.ITEM_IMAGE_EMBEDDING, "photo, encoded")
item_audio_embedding = _media_embedding(services.ITEM_AUDIO_EMBEDDING, "sound, encoded")
item_video_embedding = _media_embedding(services.ITEM_VIDEO_EMBEDDING, "clip, encoded")

user_v1 = FeatureService(
    name=services.USER_SERVICE,
    features=[user_behaviour, user_profile],
    description="a user's state, as members of release schema 1 read it",
)

item_v1 = FeatureService(
    name=services.ITEM_SERVICE,
    features=[item_attributes, item_statistics, item_text_embedding],
    description="an item, for look-ups and analysis; the server reads items from its release",
)

item_media_v1 = FeatureService(
    name=services.ITEM_MEDIA_SERVICE,
    features=[
        item_image_embedding.with_name("image"),
        item_audio_embedding.with_name("audio"),
        item_video_embedding.with_name("video"),
    ],
    description="what an item looks, sounds and moves like",
)

"""Every column name, said once."""

USER_ID = "user_id"
ITEM_ID = "item_id"
EVENT = "event"
TIMESTAMP = "timestamp"
VALUE = "value"
PRICE = "price"
QUERY = "query"
CAMPAIGN_ID = "campaign_id"
SESSION_ID = "session_id"
TEXT = "text"

TITLE = "title"
DESCRIPTION = "description"
CATEGORY = "category"
BRAND = "brand"
AVAILABLE = "available"
IMAGE = "image"
AUDIO = "audio"
VIDEO = "video"
CREATED_AT = "created_at"
ATTRIBUTES = "attributes"

RELATED_ID = "related_id"
KIND = "kind"
GRADE = "grade"
STARTS_AT = "starts_at"
ENDS_AT = "ends_at"
DISCOUNT = "discount"
BID = "bid"

# prepared tables (integer codes are row numbers of prepared/users.parquet and prepared/items.parquet)
USER = "user"
ITEM = "item"
VISIT = "visit"
FROM_END = "from_end"
PRICE_NORM = "price_norm"
PROFILE = "profile"
SENTIMENT = "sentiment"  # of an item: how glad its reviews sound, 0 to 1; empty where nobody wrote of it
REVIEWS = "reviews"  # of an item: how many users wrote of it

# a user's behaviour, as Feast holds it: parallel lists, one entry per distinct item
EVENT_TIMESTAMP = "event_timestamp"
ITEM_IDS = "item_ids"
LAST_AT = "last_at"
FIRST_AT = "first_at"
COUNTS = "counts"
EMBEDDING = "embedding"

CATEGORY_SEPARATOR = " > "
EVENT_KINDS = ("view", "click", "cart", "purchase", "rating", "review", "share", "search")
TABLES = ("events", "items", "users", "campaigns", "campaign_users", "relations", "judgements", "impressions")

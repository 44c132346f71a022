"""What people say of what they bought: openings and closings by how content they are, in English and Chinese."""

CONTENT = ("bad", "fair", "good")  # 1-2, 3, 4-5 stars

# {noun}: the type's name. One of each row is drawn, then they are joined.
OPENINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "bad": (
            "Very disappointed with this {noun}.",
            "The {noun} broke after a week.",
            "Terrible quality, avoid this {noun}.",
            "This {noun} is a waste of money.",
            "Poor workmanship, I regret buying the {noun}.",
        ),
        "fair": (
            "The {noun} is okay.",
            "An average {noun} for the price.",
            "The {noun} does its job, nothing more.",
            "Neither good nor bad, just a {noun}.",
        ),
        "good": (
            "I love this {noun}.",
            "Excellent {noun}, great quality.",
            "A wonderful {noun}, I use it every day.",
            "This {noun} is perfect.",
            "Very happy with the {noun}, beautifully made.",
        ),
    },
    "zh": {
        "bad": (
            "这款{noun}太让人失望了。",
            "{noun}用了一周就坏了。",
            "质量很差，不推荐这款{noun}。",
            "{noun}做工粗糙，后悔买了。",
        ),
        "fair": ("{noun}一般般。", "{noun}中规中矩，对得起价格。", "{noun}还行，没有惊喜。"),
        "good": (
            "非常喜欢这款{noun}！",
            "{noun}质量很好，做工精致。",
            "很满意的{noun}，每天都在用。",
            "{noun}太棒了，超出预期。",
        ),
    },
}
CLOSINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "bad": ("I sent it back.", "Would not buy again.", "The support was useless too.", ""),
        "fair": ("Delivery took five days.", "It looks like the photo.", "Maybe for a guest.", ""),
        "good": ("Highly recommended!", "Would buy again.", "My family adores it.", ""),
    },
    "zh": {
        "bad": ("已经退货。", "不会再买。", "客服态度也很糟糕。", ""),
        "fair": ("快递五天到。", "和图片一样。", "凑合用吧。", ""),
        "good": ("强烈推荐！", "会回购的。", "家人都很喜欢。", ""),
    },
}
# posts that go with a share
POSTS = {
    "en": ("Look what I found: {title}", "My new {noun}! #{tag}", "Who else wants this {noun}? #{tag}"),
    "zh": ("看我淘到了什么：{title}", "新入手的{noun}！#{tag}", "这款{noun}有人想一起买吗？#{tag}"),
}

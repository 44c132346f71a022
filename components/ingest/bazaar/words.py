"""The bazaar's vocabulary in English and Chinese: what is sold, by whom, in which colours."""

from dataclasses import dataclass

import numpy as np

from serving.arrays import Ints


@dataclass(frozen=True)
class Word:
    """One thing's name in both languages, and what else people call it."""

    en: str
    zh: str
    also_en: str = ""
    also_zh: str = ""


@dataclass(frozen=True)
class Type:
    """A type of item: where it stands, what it costs about, and the names of the types that go with it."""

    name: Word
    category: str
    price: float
    goes_with: tuple[str, ...]


# department > category: what its items are for, in both languages
CATEGORIES: dict[str, Word] = {
    "Kitchen > Drinkware": Word("For breakfast and for guests.", "早餐待客都好用。"),
    "Kitchen > Cookware": Word("Heats evenly on every stove.", "各种炉灶均匀受热。"),
    "Kitchen > Tea and Coffee": Word("Fresh from this year's harvest.", "当季新鲜采摘。"),
    "Fashion > Tops": Word("Light to wear and easy to wash.", "轻便舒适，易于清洗。"),
    "Fashion > Footwear": Word("Made for a whole day on your feet.", "全天行走也舒适。"),
    "Fashion > Bags": Word("Room for all you carry in a day.", "装得下一天所需。"),
    "Electronics > Phones": Word("Stays with you from morning to night.", "从早到晚陪伴你。"),
    "Electronics > Audio": Word("Clear voices and a warm bass.", "人声清晰，低音温暖。"),
    "Electronics > Computing": Word("For work at the desk and on the train.", "办公出行两相宜。"),
    "Outdoor > Camping": Word("Keeps wind and rain outside.", "挡风又防雨。"),
    "Outdoor > Cycling": Word("For the way to work and the hills.", "通勤爬坡都适用。"),
    "Outdoor > Fitness": Word("Train at home at any hour.", "在家随时锻炼。"),
    "Beauty > Skin": Word("Mild to the skin at any age.", "温和亲肤，适合各年龄。"),
    "Beauty > Hair": Word("For soft hair every morning.", "每天清晨柔顺秀发。"),
    "Beauty > Fragrance": Word("A scent that lasts for hours.", "香气持久。"),
    "Kids > Toys": Word("Safe for small hands.", "小手也安全。"),
    "Kids > Reading": Word("Sturdy pages for many readers.", "纸页结实耐翻。"),
    "Kids > Drawing": Word("Bright colours that wash off.", "色彩鲜艳，易于清洗。"),
}

TYPES: tuple[Type, ...] = (
    Type(Word("mug", "马克杯", "cup", "水杯"), "Kitchen > Drinkware", 9, ("green tea",)),
    Type(Word("glass", "玻璃杯", "tumbler", "杯子"), "Kitchen > Drinkware", 6, ("coffee beans",)),
    Type(Word("frying pan", "煎锅", "skillet", "平底锅"), "Kitchen > Cookware", 35, ("stockpot",)),
    Type(Word("stockpot", "汤锅", "soup pot", "炖锅"), "Kitchen > Cookware", 48, ("frying pan",)),
    Type(Word("green tea", "绿茶", "tea leaves", "茶叶"), "Kitchen > Tea and Coffee", 14, ("mug",)),
    Type(Word("coffee beans", "咖啡豆", "whole bean coffee", "咖啡"), "Kitchen > Tea and Coffee", 16, ("glass",)),
    Type(Word("t-shirt", "T恤", "tee", "短袖"), "Fashion > Tops", 18, ("sneakers",)),
    Type(Word("sweater", "毛衣", "pullover", "针织衫"), "Fashion > Tops", 45, ("boots",)),
    Type(Word("sneakers", "运动鞋", "trainers", "球鞋"), "Fashion > Footwear", 70, ("t-shirt",)),
    Type(Word("boots", "靴子", "ankle boots", "短靴"), "Fashion > Footwear", 95, ("sweater",)),
    Type(Word("backpack", "双肩包", "rucksack", "书包"), "Fashion > Bags", 55, ("notebook",)),
    Type(Word("handbag", "手提包", "purse", "女包"), "Fashion > Bags", 80, ("perfume",)),
    Type(Word("smartphone", "智能手机", "mobile phone", "手机"), "Electronics > Phones", 420, ("phone case",)),
    Type(Word("phone case", "手机壳", "phone cover", "保护套"), "Electronics > Phones", 12, ("smartphone",)),
    Type(Word("headphones", "耳机", "headset", "头戴耳机"), "Electronics > Audio", 85, ("speaker",)),
    Type(Word("speaker", "音箱", "loudspeaker", "音响"), "Electronics > Audio", 110, ("headphones",)),
    Type(Word("laptop", "笔记本电脑", "portable computer", "手提电脑"), "Electronics > Computing", 890, ("mouse",)),
    Type(Word("mouse", "鼠标", "computer mouse", "无线鼠标"), "Electronics > Computing", 22, ("laptop",)),
    Type(Word("tent", "帐篷", "camping tent", "露营帐"), "Outdoor > Camping", 160, ("sleeping bag",)),
    Type(Word("sleeping bag", "睡袋", "camp bed roll", "露营睡袋"), "Outdoor > Camping", 75, ("tent",)),
    Type(Word("bicycle", "自行车", "bike", "单车"), "Outdoor > Cycling", 380, ("helmet",)),
    Type(Word("helmet", "头盔", "bike helmet", "骑行帽"), "Outdoor > Cycling", 50, ("bicycle",)),
    Type(Word("yoga mat", "瑜伽垫", "exercise mat", "健身垫"), "Outdoor > Fitness", 28, ("dumbbell",)),
    Type(Word("dumbbell", "哑铃", "hand weight", "手铃"), "Outdoor > Fitness", 32, ("yoga mat",)),
    Type(Word("face cream", "面霜", "moisturiser", "润肤霜"), "Beauty > Skin", 24, ("sunscreen",)),
    Type(Word("sunscreen", "防晒霜", "sun lotion", "防晒乳"), "Beauty > Skin", 17, ("face cream",)),
    Type(Word("shampoo", "洗发水", "hair wash", "洗发露"), "Beauty > Hair", 9, ("hair dryer",)),
    Type(Word("hair dryer", "吹风机", "blow dryer", "电吹风"), "Beauty > Hair", 42, ("shampoo",)),
    Type(Word("perfume", "香水", "eau de toilette", "淡香水"), "Beauty > Fragrance", 65, ("handbag", "scented candle")),
    Type(Word("scented candle", "香薰蜡烛", "aroma candle", "蜡烛"), "Beauty > Fragrance", 19, ("perfume",)),
    Type(Word("building blocks", "积木", "toy bricks", "拼装玩具"), "Kids > Toys", 33, ("picture book",)),
    Type(Word("doll", "娃娃", "rag doll", "公仔"), "Kids > Toys", 21, ("picture book",)),
    Type(Word("picture book", "绘本", "children's book", "图画书"), "Kids > Reading", 13, ("building blocks", "doll")),
    Type(Word("notebook", "笔记本", "writing pad", "记事本"), "Kids > Reading", 5, ("backpack", "crayons")),
    Type(Word("crayons", "蜡笔", "wax crayons", "油画棒"), "Kids > Drawing", 7, ("notebook", "paint set")),
    Type(Word("paint set", "颜料套装", "watercolours", "水彩"), "Kids > Drawing", 15, ("crayons",)),
)

COLOURS: tuple[tuple[Word, tuple[int, int, int]], ...] = (
    (Word("red", "红色"), (205, 40, 45)),
    (Word("orange", "橙色"), (240, 140, 30)),
    (Word("yellow", "黄色"), (240, 210, 50)),
    (Word("green", "绿色"), (50, 150, 70)),
    (Word("blue", "蓝色"), (40, 90, 200)),
    (Word("purple", "紫色"), (130, 60, 160)),
    (Word("black", "黑色"), (35, 35, 40)),
    (Word("pink", "粉色"), (240, 150, 185)),
)
PATTERNS = (
    Word("plain", "纯色"),
    Word("striped", "条纹"),
    Word("dotted", "波点"),
    Word("checked", "格子"),
    Word("wavy", "波浪"),
)

# four invented brands for each department
BRANDS: dict[str, tuple[Word, ...]] = {
    "Kitchen": (Word("Kettora", "凯托拉"), Word("Panvale", "磐谷"), Word("Oluma", "欧露玛"), Word("Brisko", "布里斯")),
    "Fashion": (Word("Velmara", "薇尔玛"), Word("Tandro", "坦卓"), Word("Sorelli", "索莱丽"), Word("Quay9", "九码头")),
    "Electronics": (Word("Zentik", "臻提"), Word("Ovaro", "欧瓦"), Word("Lumetra", "流明特"), Word("Bitkin", "比特金")),
    "Outdoor": (Word("Craglen", "岩岭"), Word("Norrfell", "北峰"), Word("Tarnix", "塔尼斯"), Word("Windrow", "风行")),
    "Beauty": (Word("Aurisse", "奥瑞丝"), Word("Plumeva", "羽薇"), Word("Calmora", "静蔓"), Word("Yunxi", "云汐")),
    "Kids": (Word("Pippolo", "皮波罗"), Word("Tumbly", "团团"), Word("Minnow", "小鱼儿"), Word("Quillo", "奇洛")),
}
SERIES = ("Nova", "Lark", "Delta", "Fern", "Pico", "Atlas", "Echo", "Tide", "Onyx", "Sol", "Vega", "Moss")
CITIES = ("Berlin", "Hamburg", "Munich", "Shanghai", "Chengdu", "Hangzhou")

BRAND_WORDS = tuple(word for words in BRANDS.values() for word in words)
DEPARTMENTS, CATEGORY_NAMES = tuple(BRANDS), tuple(CATEGORIES)
_TYPE_NAMES = [kind.name.en for kind in TYPES]
CATEGORY_OF: Ints = np.array([CATEGORY_NAMES.index(kind.category) for kind in TYPES], dtype=np.int32)
DEPARTMENT_OF: Ints = np.array([DEPARTMENTS.index(kind.category.split(" > ")[0]) for kind in TYPES], dtype=np.int32)
GOES_WITH: tuple[tuple[int, ...], ...] = tuple(
    tuple(_TYPE_NAMES.index(other) for other in kind.goes_with) for kind in TYPES
)
BASE_PRICE = np.array([kind.price for kind in TYPES])

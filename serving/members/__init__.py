"""The members of the blend as they score at serving time: arrays and ONNX only."""

from importlib import import_module

from serving.members.base import Member

_HOMES = {
    "popularity": "serving.members.popularity:Popularity",
    "trend": "serving.members.trend:Trend",
    "als": "serving.members.als:Als",
    "item_knn": "serving.members.item_knn:ItemKnn",
    "cooccurrence": "serving.members.cooccurrence:Cooccurrence",
    "linear": "serving.members.linear:Linear",
    "pca": "serving.members.pca:Pca",
    "user_knn": "serving.members.user_knn:UserKnn",
    "bpr": "serving.members.bpr:Bpr",
    "repurchase": "serving.members.repurchase:Repurchase",
    "tfidf": "serving.members.tfidf:Tfidf",
    "attributes": "serving.members.attributes:Attributes",
    "word2vec": "serving.members.word2vec:Word2vec",
    "profile": "serving.members.profile:Profile",
    "text": "serving.members.text:Text",
    "image": "serving.members.image:Image",
    "joint": "serving.members.joint:Joint",
    "audio": "serving.members.seen:Audio",
    "video": "serving.members.seen:Video",
    "lexical": "serving.members.lexical:Lexical",
    "named": "serving.members.named:Named",
    "sentiment": "serving.members.sentiment:SentimentOfItems",
    "complements": "serving.members.relations:Complements",
    "substitutes": "serving.members.relations:Substitutes",
    "sequence": "serving.members.sequence:Sequence",
}


def kinds() -> tuple[str, ...]:
    """Every kind of member there is."""
    return tuple(_HOMES)


def member_class(kind: str) -> type[Member]:
    """The class that serves members of *kind*."""
    module, name = _HOMES[kind].split(":")
    loaded: type[Member] = getattr(import_module(module), name)
    return loaded

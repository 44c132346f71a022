"""A batch of questions of one scenario, as members see it."""

from dataclasses import dataclass

from serving.arrays import Floats
from serving.states import UserStates

RECOMMEND, SEARCH, SIMILAR, BUNDLE = "recommend", "search", "similar", "bundle"
SCENARIOS = (RECOMMEND, SEARCH, SIMILAR, BUNDLE)  # what members answer
CAMPAIGN, ADS = "campaign", "ads"  # `recommend` among the items of campaigns; `recommend` or `search` with ads between
ASKED = (*SCENARIOS, CAMPAIGN, ADS)
DISCOVERY, NEXT_BASKET = "discovery", "next_basket"  # the tasks of recommend; every other scenario is its own task


@dataclass(frozen=True)
class Queries:
    """n questions of one scenario.

    states: (n users) their behaviour; for `similar` and `bundle` the anchor items as pretend histories;
    empty histories for anonymous users. texts: (n) query strings for `search`, else None.
    text_vectors: (n, d) unit-length encodings of the texts, None when the release has no encoder; NaN for a blank text.
    image_vectors: (n, d) encodings of the photos that questions bring, NaN for those without; None: no question does.
    """

    scenario: str
    states: UserStates
    texts: tuple[str, ...] | None = None
    text_vectors: Floats | None = None
    image_vectors: Floats | None = None

    def __len__(self) -> int:
        return len(self.states)

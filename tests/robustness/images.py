"""Images, a data set and a network for the tests of robustness."""

import torch
from torch import nn

from nasdsl.training.data.dataset import Dataset, Split, statistics


def pictures(count, channels=3, height=32, width=32, seed=0):
    """Smooth random bytes, with the values of photographs rather than those of noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, 6, 6, generator=generator)
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    grain = 0.05 * torch.randn(smooth.shape, generator=generator)
    return ((smooth + grain).clamp(0, 1) * 255).round().to(torch.uint8)


def labeled(count=96, channels=1, size=8, seed=0):
    """Bytes of three classes: a bright bar at one of three places, in noise."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(2 * count) % 3
    x = torch.rand(2 * count, channels, size, size, generator=generator) * 120
    for label in range(3):
        x[y == label, :, :, 1 + 2 * label : 3 + 2 * label] += 40
    x = x.to(torch.uint8)
    train, validation = Split(x[:count], y[:count]), Split(x[count:], y[count:])
    return Dataset("bars", train, validation, ("a", "b", "c"), *statistics(train.x))


def network(seed=0, channels=1, size=8):
    """A small convolutional classifier; the global generator stays as it was."""
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * size * size, 3),
        )


def trained(data, seed=0, steps=30):
    """The network after some steps on all training samples."""
    _, channels, size, _ = data.train.x.shape
    module = network(seed, channels, size)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.02, momentum=0.9)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(module(data.inputs(data.train.x)), data.train.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return module.eval()

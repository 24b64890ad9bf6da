"""Load a space, sample an architecture, compile it, and train it in a plain torch loop."""

from pathlib import Path

import torch
from sklearn.datasets import load_digits

import nasdsl

space = nasdsl.load(Path(__file__).with_name("quickstart.nas"))
model = nasdsl.compile(space.sample(seed=0))
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(digits.target)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(3):
    for batch in torch.randperm(1500, generator=torch.Generator().manual_seed(epoch)).split(64):
        loss = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.3f}")

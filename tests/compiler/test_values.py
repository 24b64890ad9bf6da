"""What the operations compute, against formulas and modules written out here, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nasdsl.compiler import compile_network
from tests.compiler.by_hand import Draft


def compiled(op: str, *shapes: tuple[int, ...], **settings: Any) -> nn.Module:
    """A module of one operation with random weights and running statistics, for evaluation."""
    draft = Draft()
    inputs = [draft.input(f"x{i}", *shape) for i, shape in enumerate(shapes)]
    module = compile_network(draft.network(draft.at("op", op, inputs, **settings))).double().eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator, dtype=value.dtype)
                value.copy_(drawn.abs() + 0.1 if name.endswith("running_var") else drawn)
    return module


def data(*shape: int) -> Tensor:
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(4)).double()


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name.removeprefix("op."): value for name, value in module.state_dict().items()}


def same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def bn(x: Tensor, w: dict[str, Tensor], prefix: str) -> Tensor:
    return functional.batch_norm(
        x,
        w[f"{prefix}running_mean"],
        w[f"{prefix}running_var"],
        w[f"{prefix}weight"],
        w[f"{prefix}bias"],
    )


def test_convolution_over_time() -> None:
    module, x = compiled("conv", (9, 4), channels=6, kernel=3, stride=2, dilation=2), data(9, 4)
    w = weights(module)
    padded = functional.pad(x, (0, 0, 2, 2))
    steps = [
        sum(padded[:, t + 2 * k] @ w["weight"][:, :, k].T for k in range(3)) + w["bias"]
        for t in range(0, 9, 2)
    ]
    same(module(x), torch.stack(steps, dim=1))


def test_batch_normalization_of_a_sequence_is_by_feature() -> None:
    module, x = compiled("bn", (9, 4)), data(9, 4)
    w = weights(module)
    scaled = (x - w["running_mean"]) / torch.sqrt(w["running_var"] + 1e-5)
    same(module(x), scaled * w["weight"] + w["bias"])


def test_layer_normalization_of_an_image_is_at_each_place() -> None:
    module, x = compiled("layernorm", (5, 3, 4)), data(5, 3, 4)
    w = weights(module)
    centered = x - x.mean(1, keepdim=True)
    scaled = centered / torch.sqrt((centered**2).mean(1, keepdim=True) + 1e-5)
    same(module(x), scaled * w["weight"].view(-1, 1, 1) + w["bias"].view(-1, 1, 1))


def test_group_normalization_of_a_sequence_is_over_time() -> None:
    module, x = compiled("groupnorm", (9, 4), groups=2, affine=False), data(9, 4)
    for group in (slice(0, 2), slice(2, 4)):
        part = x[:, :, group]
        centered = part - part.mean((1, 2), keepdim=True)
        scaled = centered / torch.sqrt((centered**2).mean((1, 2), keepdim=True) + 1e-5)
        same(module(x)[:, :, group], scaled)


def test_padding_does_not_count_in_the_mean() -> None:
    ones = torch.ones(1, 2, 5, 5)
    same(compiled("avgpool", (2, 5, 5), kernel=3, stride=1)(ones), ones)
    same(compiled("avgpool", (5, 2), kernel=3, stride=1)(ones[:, 0]), ones[:, 0])


def test_padding_does_not_count_in_the_maximum() -> None:
    negative = -torch.ones(1, 2, 5, 5)
    same(compiled("maxpool", (2, 5, 5), kernel=3, stride=1)(negative), negative)


def test_pooling_over_time() -> None:
    x = data(8, 3)
    pairs = x.view(4, 4, 2, 3)
    same(compiled("maxpool", (8, 3), kernel=2)(x), pairs.amax(2))
    same(compiled("avgpool", (8, 3), kernel=2)(x), pairs.mean(2))
    same(compiled("global_avgpool", (8, 3))(x), x.mean(1))
    same(compiled("global_maxpool", (8, 3))(x), x.amax(1))


def test_global_pooling_of_an_image() -> None:
    x = data(3, 4, 5)
    same(compiled("global_avgpool", (3, 4, 5))(x), x.flatten(2).mean(2))
    same(compiled("global_maxpool", (3, 4, 5))(x), x.flatten(2).amax(2))


@pytest.mark.parametrize("shape", [(4, 6, 6), (9, 4)])
def test_separable_is_depthwise_then_pointwise(shape: tuple[int, ...]) -> None:
    module, x = compiled("separable", shape, channels=6, kernel=3, stride=2), data(*shape)
    w = weights(module)
    conv = functional.conv2d if len(shape) == 3 else functional.conv1d
    y = x if len(shape) == 3 else x.transpose(1, 2)
    y = conv(y, w["depthwise.weight"], None, 2, 1, 1, 4)
    y = conv(y, w["pointwise.weight"], w["pointwise.bias"])
    same(module(x), y if len(shape) == 3 else y.transpose(1, 2))


def test_factorized_reduction_uses_every_place() -> None:
    module, x = compiled("factorized_reduction", (4, 6, 6), channels=6), data(4, 6, 6)
    w = weights(module)
    y = functional.relu(x)
    even = torch.einsum("oi,bihw->bohw", w["even.weight"][:, :, 0, 0], y[:, :, 0::2, 0::2])
    odd = torch.einsum("oi,bihw->bohw", w["odd.weight"][:, :, 0, 0], y[:, :, 1::2, 1::2])
    same(module(x), bn(torch.cat([even, odd], 1), w, "bn."))


def gate(x: Tensor, w: dict[str, Tensor], prefix: str) -> Tensor:
    means = x.mean((2, 3))
    inner = functional.relu(
        means @ w[f"{prefix}reduce.weight"][:, :, 0, 0].T + w[f"{prefix}reduce.bias"]
    )
    outer = inner @ w[f"{prefix}expand.weight"][:, :, 0, 0].T + w[f"{prefix}expand.bias"]
    return x * (functional.relu6(outer + 3) / 6)[:, :, None, None]


def test_squeeze_and_excite() -> None:
    module, x = compiled("squeeze_excite", (32, 3, 3), reduction=2), data(32, 3, 3)
    w = weights(module)
    assert w["reduce.weight"].shape == (16, 32, 1, 1)
    same(module(x), gate(x, w, ""))


@pytest.mark.parametrize("expand", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("se", [False, True])
@pytest.mark.parametrize("channels", [8, 12])
def test_inverted_residual(expand: int, stride: int, se: bool, channels: int) -> None:
    """The MBConv layer of the once-for-all network, written with functions."""
    settings = {"kernel": 5, "expand": expand, "stride": stride, "se": se, "act": "hswish"}
    module, x = (
        compiled("inverted_residual", (8, 6, 6), channels=channels, **settings),
        data(8, 6, 6),
    )
    w = weights(module)
    y = x
    if expand != 1:
        y = functional.hardswish(bn(functional.conv2d(y, w["expand.conv.weight"]), w, "expand.bn."))
    assert any(name.startswith("expand") for name in w) == (expand != 1)
    y = functional.conv2d(y, w["depthwise.conv.weight"], None, stride, 2, 1, 8 * expand)
    y = functional.hardswish(bn(y, w, "depthwise.bn."))
    if se:
        # make_divisible(8 / 4) and make_divisible(24 / 4) are both 8.
        assert w["depthwise.se.reduce.weight"].shape[0] == 8
        y = gate(y, w, "depthwise.se.")
    y = bn(functional.conv2d(y, w["project.conv.weight"]), w, "project.bn.")
    same(module(x), x + y if stride == 1 and channels == 8 else y)


def test_attention_is_that_of_torch() -> None:
    module, x = compiled("attention", (7, 12), heads=3, dim=12), data(7, 12)
    w = weights(module)
    other = nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
    other.load_state_dict(
        {
            "in_proj_weight": w["qkv.weight"],
            "in_proj_bias": w["qkv.bias"],
            "out_proj.weight": w["out.weight"],
            "out_proj.bias": w["out.bias"],
        }
    )
    same(module(x), other(x, x, x, need_weights=False)[0])


def test_attention_of_another_width() -> None:
    module, x = compiled("attention", (5, 4), heads=2, dim=6), data(5, 4)
    w = weights(module)
    query, key, value = (x @ w["qkv.weight"].T + w["qkv.bias"]).split(6, dim=2)
    heads = []
    for head in (slice(0, 3), slice(3, 6)):
        scores = query[:, :, head] @ key[:, :, head].transpose(1, 2) / 3**0.5
        heads.append(scores.softmax(2) @ value[:, :, head])
    same(module(x), torch.cat(heads, 2) @ w["out.weight"].T + w["out.bias"])


def test_patches_are_mapped_row_by_row() -> None:
    module, x = compiled("patch_embed", (3, 4, 6), dim=5, patch=2), data(3, 4, 6)
    w = weights(module)
    patches = functional.unfold(x, 2, stride=2).transpose(1, 2)
    same(module(x), patches @ w["project.weight"].flatten(1).T + w["project.bias"])


def test_tokens() -> None:
    x = data(4, 3)
    module = compiled("class_token", (4, 3))
    same(module(x)[:, 0], weights(module)["token"][0].expand(4, -1))
    same(module(x)[:, 1:], x)
    module = compiled("position_embedding", (4, 3))
    same(module(x), x + weights(module)["position"])
    same(compiled("take_token", (4, 3), index=2)(x), x[:, 2])


def test_upsampling_repeats() -> None:
    x = data(2, 3, 4)
    repeated = x.repeat_interleave(3, 2).repeat_interleave(3, 3)
    same(compiled("upsample", (2, 3, 4), factor=3)(x), repeated)
    same(compiled("upsample", (3, 4), factor=2)(x[:, 0]), x[:, 0].repeat_interleave(2, 1))


def test_channel_shuffle_takes_one_of_each_group_in_turn() -> None:
    x = data(6, 2, 2)
    same(compiled("channel_shuffle", (6, 2, 2), groups=2)(x), x[:, [0, 3, 1, 4, 2, 5]])


def test_combining() -> None:
    a, b, c = data(3, 4), data(3, 4) * 2 + 1, data(3, 4) - 2
    shapes = ((3, 4),) * 3
    same(compiled("add", *shapes)(a, b, c), a + b + c)
    same(compiled("mul", *shapes)(a, b, c), a * b * c)
    same(compiled("mean", *shapes)(a, b, c), (a + b + c) / 3)
    same(compiled("concat", *shapes)(a, b, c), torch.cat([a, b, c], 2))
    same(compiled("first", *shapes)(a, b, c), a)
    image = data(2, 3, 3)
    same(compiled("concat", (2, 3, 3), (2, 3, 3))(image, -image), torch.cat([image, -image], 1))
    for op in ("add", "mul", "mean", "concat", "first"):
        same(compiled(op, (3, 4))(a), a)


ACTIVATIONS = {
    "relu": lambda x: torch.clamp(x, min=0),
    "relu6": lambda x: torch.clamp(x, 0, 6),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "elu": lambda x: torch.where(x > 0, x, torch.exp(x) - 1),
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "hswish": lambda x: x * torch.clamp(x + 3, 0, 6) / 6,
    "hsigmoid": lambda x: torch.clamp(x + 3, 0, 6) / 6,
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "tanh": lambda x: (torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1),
    "softmax": lambda x: torch.exp(x) / torch.exp(x).sum(1, keepdim=True),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    x = 4 * data(3, 2, 2)
    same(compiled(name, (3, 2, 2))(x), ACTIVATIONS[name](x))


def test_dropout_only_while_training() -> None:
    module, x = compiled("dropout", (50,), p=0.5), data(50)
    same(module(x), x)
    kept = module.train()(x)
    assert ((kept == 0) | torch.isclose(kept, 2 * x)).all()
    assert 0 < (kept == 0).sum() < kept.numel()


def test_the_sequence_transposed_convolution_undoes_the_stride() -> None:
    module, x = compiled("conv_transpose", (4, 3), channels=2, kernel=2), data(4, 3)
    w = weights(module)
    expected = torch.einsum("btc,cok->btko", x, w["weight"]).reshape(4, 8, 2) + w["bias"]
    same(module(x), expected)

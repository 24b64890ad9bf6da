"""Operations of several networks side by side in one tensor.

The tensors of k members stand in one *wide* tensor [batch, k * channels, ...], member after
member. Operations that treat each channel by itself work on it as they are; convolutions become
grouped ones, linear maps batched products, norms norms of more channels. Every parameter of a
wide module is the members' parameters one after another along the first axis, so that a member's
own are rows of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nasdsl.compiler.modules.mobile import InvertedResidual, SqueezeExcite
from nasdsl.compiler.modules.separable import SeparableConv

IMAGE, VECTOR = 3, 1

CHANNELWISE = {
    **dict.fromkeys(
        ("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hswish", "hsigmoid", "sigmoid"),
        (IMAGE, VECTOR),
    ),
    **dict.fromkeys(("tanh", "add", "mul", "mean"), (IMAGE, VECTOR)),
    **dict.fromkeys(("maxpool", "avgpool", "upsample"), (IMAGE,)),
    **dict.fromkeys(("global_avgpool", "global_maxpool"), (IMAGE,)),
    "flatten": (IMAGE, VECTOR),
}
"""Operations without weights that need no other code on a wide tensor, and on which ranks."""

WIDENED = {
    **dict.fromkeys(("conv", "depthwise", "conv_transpose", "separable", "groupnorm"), (IMAGE,)),
    **dict.fromkeys(("inverted_residual", "squeeze_excite"), (IMAGE,)),
    "bn": (IMAGE, VECTOR),
    "linear": (VECTOR,),
}
"""Operations with weights that :func:`widen` knows."""

ANCHORS = frozenset(
    {"conv", "depthwise", "conv_transpose", "separable", "inverted_residual", "linear"}
)
"""Operations that cost enough to decide by measurement whether they are fused."""


class WideLinear(nn.Module):
    """A linear map for each member.

    Attributes:
        weight: [k * outputs, inputs]. bias: [k * outputs] or ``None``.
        members: k.
        shared: the operand is one [batch, inputs] for all members.
    """

    bias: nn.Parameter | None

    def __init__(self, maps: Sequence[nn.Linear], shared: bool) -> None:
        super().__init__()
        self.members = len(maps)
        self.shared = shared
        self.weight = _joined([m.weight for m in maps])
        self.bias = None if maps[0].bias is None else _joined([m.bias for m in maps])

    def forward(self, x: Tensor) -> Tensor:
        """[batch, k * inputs] (or [batch, inputs] where shared) to [batch, k * outputs]."""
        if self.shared:
            return F.linear(x, self.weight, self.bias)
        own = _apart(x, self.members).transpose(0, 1)
        y = torch.bmm(own, self.weight.view(self.members, -1, self.weight.shape[1]).transpose(1, 2))
        y = y.transpose(0, 1).flatten(1)
        return y if self.bias is None else y + self.bias


def _apart(x: Tensor, members: int) -> Tensor:
    """[batch, k * channels, ...] as [batch, k, channels, ...]."""
    return x.reshape(x.shape[0], members, -1, *x.shape[2:])


def _joined(parts: Sequence[Tensor]) -> nn.Parameter:
    first = parts[0]
    return nn.Parameter(torch.cat([p.detach() for p in parts]), requires_grad=first.requires_grad)


def widen(modules: Sequence[nn.Module], shared: bool = False) -> nn.Module:
    """One module that does to a wide tensor what each of the modules does to its member.

    Args:
        modules: of equal structure, one for each member.
        shared: the operand is one narrow tensor for all members (only where
            :func:`takes_shared` says so).

    Raises:
        TypeError: a class that is not known to treat members apart.
    """
    first, k = modules[0], len(modules)
    if isinstance(first, nn.Linear):
        return WideLinear([m for m in modules if isinstance(m, nn.Linear)], shared)
    wide = copy.deepcopy(first)
    if isinstance(wide, nn.Conv2d | nn.ConvTranspose2d):
        wide.out_channels *= k
        if not shared:
            wide.in_channels *= k
            wide.groups *= k
    elif isinstance(wide, nn.BatchNorm1d | nn.BatchNorm2d):
        wide.num_features *= k
    elif isinstance(wide, nn.GroupNorm):
        wide.num_groups *= k
        wide.num_channels *= k
    elif isinstance(wide, InvertedResidual | SqueezeExcite | SeparableConv | nn.Sequential):
        for name, _ in first.named_children():
            setattr(wide, name, widen([m.get_submodule(name) for m in modules]))
        return wide
    elif any(True for _ in first.parameters()):
        raise TypeError(f"{type(first).__name__} is not known to treat members apart")
    for name, _ in first.named_parameters(recurse=False):
        setattr(wide, name, _joined([m.get_parameter(name) for m in modules]))
    for name, buffer in first.named_buffers(recurse=False):
        if buffer.dim():
            setattr(wide, name, torch.cat([m.get_buffer(name) for m in modules]))
    return wide


def takes_shared(module: nn.Module) -> bool:
    """Whether the wide module can take one narrow operand for all members."""
    return isinstance(module, nn.Linear) or (type(module) is nn.Conv2d and module.groups == 1)


# Functions of the graphs. They are looked up by name when a population is unpickled.


def narrow(x: Tensor, slot: int, members: int) -> Tensor:
    """One member of a wide tensor, a view."""
    width = x.shape[1] // members
    return x.narrow(1, slot * width, width)


def pick(x: Tensor, slots: list[int], members: int) -> Tensor:
    """Some members of a wide tensor, in the given order, as a wide tensor."""
    parts = _apart(x, members)
    if len(slots) > 1 and slots == list(range(slots[0], slots[0] + len(slots))):
        return parts.narrow(1, slots[0], len(slots)).flatten(1, 2)
    index = torch.tensor(slots, device=x.device)
    return parts.index_select(1, index).flatten(1, 2)


def spread(x: Tensor, members: int) -> Tensor:
    """A tensor that members share, once for each of them."""
    return x.unsqueeze(1).expand(-1, members, *x.shape[1:]).flatten(1, 2)


def wide_cat(operands: list[Tensor], members: int) -> Tensor:
    """Concatenation along the channels of each member."""
    parts = [_apart(x, members) for x in operands]
    return torch.cat(parts, 2).flatten(1, 2)


def members_first(x: Tensor, members: int) -> Tensor:
    """[batch, k * channels, ...] to [k, batch, channels, ...], a view."""
    return _apart(x, members).movedim(1, 0)


def whole(x: Tensor, members: int) -> Tensor:
    """[batch, ...] of one network, or one that all share, to [k, batch, ...], a view."""
    return x.unsqueeze(0).expand(members, *x.shape)


def in_order(x: Tensor, order: list[int]) -> Tensor:
    """Members [k, ...] put into another order."""
    return x.index_select(0, torch.tensor(order, device=x.device))


FUNCTIONS: tuple[Callable[..., Tensor], ...] = (
    narrow,
    pick,
    spread,
    wide_cat,
    members_first,
    whole,
    in_order,
)

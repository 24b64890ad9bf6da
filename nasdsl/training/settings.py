"""What ``train { ... }`` and ``data ...`` may say, and the settings they come to. No torch.

The tables are what the language server completes and the documentation lists; the frozen
dataclasses are what the training code reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from nasdsl.diagnostics import Diagnostic, Note, Span, suggestion
from nasdsl.language.settings import Entry, Item, Option, read, read_entry, table

DIGITS_TRAIN = 600
DIGITS_VALIDATION = 800
DIGITS_NOISE = 0.25


@dataclass(frozen=True, slots=True)
class Sgd:
    """Stochastic gradient descent: ``v = momentum v + g``, ``w -= lr v``."""

    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = False


@dataclass(frozen=True, slots=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    lr: float = 1e-3
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999


@dataclass(frozen=True, slots=True)
class Sharpness:
    """A sharpness-aware step: SAM, or ASAM when adaptive."""

    rho: float
    adaptive: bool


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How one network is trained.

    Attributes:
        epochs: passes over the training images.
        steps: number of steps instead of epochs, where given.
        batch: images of one step; an incomplete last batch of an epoch is left out.
        optimizer: the rule of the step.
        schedule: of the learning rate over the steps.
        final: what the cosine schedule ends at, as a fraction of the learning rate.
        warmup: epochs over which the learning rate rises linearly.
        sharpness: sharpness-aware steps, where asked for.
        label_smoothing: share of the target spread over all classes.
        crop: padding of the random crop in pixels, 0 for none.
        flip: mirror each image with probability one half.
        clip: bound of the gradient's global norm, where given.
        bf16: compute in bfloat16 where the device is CUDA.
        channels_last: keep images in memory with their channels last.
        cuda_graph: replay each step as one graph of kernels where the device is CUDA.
        seed: another seed gives another training run of the same networks.
    """

    epochs: int = 12
    steps: int | None = None
    batch: int = 64
    optimizer: Sgd | AdamW = Sgd()
    schedule: Literal["cosine", "constant"] = "cosine"
    final: float = 0.0
    warmup: float = 0.0
    sharpness: Sharpness | None = None
    label_smoothing: float = 0.0
    crop: int = 0
    flip: bool = False
    clip: float | None = None
    bf16: bool = False
    channels_last: bool = False
    cuda_graph: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class DataSettings:
    """Which data, and how they are split.

    Attributes:
        source: name of the reader.
        path: file or folder as written, relative to the folder of the text.
        train: at most so many training samples; ``None`` for all that the other splits leave.
        validation: a number of samples, or a fraction below 1 of those that are not test.
        test: likewise, of all samples, where the data have no test set of their own.
        noise: standard deviation of Gaussian noise added once to every image, in units of
            the full scale of the values (only digits).
        size: side in pixels to which images of a folder are resized, ``None`` for as they are.
        channels: 3 or 1 (only image folders).
        layout: order of the axes of images in an array file.
        seed: of the split and of the noise.
        key: column of a table that holds the space's key.
        search: its column that is the accuracy during the search.
        report: the one that is reported of the best in the end.
        join: a second file, whose row is the one of which ``join_key`` equals ``on`` of the first.
        on: column of the first file.
        join_key: column of the second, by default the one of the same name.
        span: the place in the text.
    """

    source: str = "digits"
    path: str | None = None
    train: int | None = DIGITS_TRAIN
    validation: float = DIGITS_VALIDATION
    test: float = 0.2
    noise: float = DIGITS_NOISE
    size: int | None = None
    channels: int = 3
    layout: str = "auto"
    seed: int = 0
    key: str | None = None
    search: str | None = None
    report: str | None = None
    join: str | None = None
    on: str | None = None
    join_key: str | None = None
    span: Span | None = field(default=None, compare=False)


def _value(kind: Any, name: str = "value", **bounds: Any) -> tuple[Option, ...]:
    return (Option(name, kind, **bounds),)


_POSITIVE = 1e-12

TRAIN_ITEMS: dict[str, Item] = table(
    Item(
        "epochs",
        _value("int", minimum=1, doc="passes over the training images"),
        "how long to train (default 12)",
        group="length",
    ),
    Item(
        "steps",
        _value("int", minimum=1, doc="number of steps"),
        "how long to train, in steps instead of epochs",
        group="length",
    ),
    Item("batch", _value("int", minimum=1, doc="images of one step"), "batch size (default 64)"),
    Item(
        "sgd",
        (
            Option("lr", "float", 0.1, minimum=0, doc="learning rate"),
            Option("momentum", "float", 0.9, minimum=0, maximum=1, doc="momentum"),
            Option("weight_decay", "float", 5e-4, minimum=0, doc="L2 penalty"),
            Option("nesterov", "bool", False, doc="Nesterov's variant of the momentum"),
        ),
        "stochastic gradient descent (the default optimizer)",
        group="optimizer",
    ),
    Item(
        "adamw",
        (
            Option("lr", "float", 1e-3, minimum=0, doc="learning rate"),
            Option("weight_decay", "float", 0.01, minimum=0, doc="decoupled weight decay"),
            Option("beta1", "float", 0.9, minimum=0, maximum=1, doc="decay of the first moment"),
            Option("beta2", "float", 0.999, minimum=0, maximum=1, doc="of the second moment"),
        ),
        "Adam with decoupled weight decay",
        group="optimizer",
    ),
    Item(
        "cosine",
        (Option("final", "float", 0.0, minimum=0, maximum=1, doc="last fraction of the lr"),),
        "learning rate along half a cosine (the default schedule)",
        group="schedule",
    ),
    Item("constant", (), "one learning rate throughout", group="schedule"),
    Item(
        "warmup",
        _value("float", minimum=0, doc="epochs"),
        "epochs over which the learning rate rises linearly",
    ),
    Item(
        "sam",
        (Option("rho", "float", 0.05, minimum=_POSITIVE, doc="radius in weight space"),),
        "sharpness-aware steps (Foret et al. 2021)",
        group="sharpness",
    ),
    Item(
        "asam",
        (Option("rho", "float", 0.5, minimum=_POSITIVE, doc="radius in units of the weights"),),
        "adaptive sharpness-aware steps (Kwon et al. 2021)",
        group="sharpness",
    ),
    Item(
        "label_smoothing",
        _value("float", minimum=0, maximum=1, doc="share spread over all classes"),
        "label smoothing",
    ),
    Item(
        "crop",
        (Option("padding", "int", 4, minimum=1, doc="pixels on each side"),),
        "random crop of the padded image",
    ),
    Item("flip", (), "random horizontal mirror"),
    Item(
        "clip",
        _value("float", minimum=_POSITIVE, doc="largest norm"),
        "bound on the gradient's global norm",
    ),
    Item("bf16", (), "compute in bfloat16 on a CUDA device; no effect on a CPU"),
    Item(
        "channels_last",
        (),
        "keep images in memory with their channels last: faster for large ones, equal within "
        "rounding",
    ),
    Item(
        "cuda_graph",
        (),
        "replay each training step as one CUDA graph, equal within rounding; no effect on a CPU",
    ),
    Item("seed", _value("int", minimum=0, doc="any number"), "another run of the same training"),
)


def _split(train: int | None, validation: float, test: float | None) -> tuple[Option, ...]:
    options = [
        Option("train", "int", train, minimum=1, doc="at most so many training samples"),
        Option("validation", "float", validation, minimum=0, doc="a number, or a fraction below 1"),
    ]
    if test is not None:
        options.append(
            Option("test", "float", test, minimum=0, doc="where the data have no test set")
        )
    options.append(Option("seed", "int", 0, minimum=0, doc="seed of the split"))
    return tuple(options)


_FOLDER = Option("path", "text", doc="folder, relative to this file's")

DATA_ITEMS: dict[str, Item] = table(
    Item(
        "digits",
        (
            *_split(DIGITS_TRAIN, DIGITS_VALIDATION, 0.2),
            Option("noise", "float", DIGITS_NOISE, minimum=0, doc="standard deviation, 1 = white"),
        ),
        "scikit-learn's 1,797 grey 8x8 digits, made hard by few images and noise",
    ),
    Item(
        "fashion_mnist",
        (_FOLDER, *_split(None, 0.2, None)),
        "Fashion-MNIST: grey 28x28, the four idx files, gzip-compressed or not",
    ),
    Item("mnist", (_FOLDER, *_split(None, 0.2, None)), "MNIST: grey 28x28, the four idx files"),
    Item(
        "cifar10",
        (_FOLDER, *_split(None, 0.2, None)),
        "CIFAR-10: 3x32x32, the official binary or Python files",
    ),
    Item(
        "cifar100",
        (_FOLDER, *_split(None, 0.2, None)),
        "CIFAR-100 with its fine labels, the official binary or Python files",
    ),
    Item(
        "npz",
        (
            Option("path", "text", doc="file, relative to this file's folder"),
            *_split(None, 0.2, 0.2),
            Option(
                "layout",
                "name",
                "auto",
                values=("auto", "nhwc", "nchw"),
                doc="order of the axes of images",
            ),
        ),
        "numpy arrays x_train, y_train and, where there are, x_test, y_test",
    ),
    Item(
        "images",
        (
            _FOLDER,
            *_split(None, 0.2, 0.2),
            Option("size", "int", None, minimum=1, doc="resize to size x size"),
            Option("channels", "int", 3, minimum=1, maximum=3, doc="3, or 1 for grey"),
        ),
        "a folder of images, one subfolder a class, or such a folder in train/ and test/",
    ),
    Item(
        "table",
        (
            Option("path", "text", doc="file, relative to this file's folder"),
            Option("key", "name", doc="column that holds the space's key"),
            Option("search", "name", doc="column that is the accuracy during the search"),
            Option("report", "name", None, doc="column that is reported of the best"),
            Option("join", "text", None, doc="a second file with more columns"),
            Option("on", "name", None, doc="column that leads to the second file's rows"),
            Option("join_key", "name", None, doc="its column there, where named otherwise"),
        ),
        "published values of a benchmark instead of training, csv or csv.gz",
    ),
)


def read_train(entries: Iterable[Entry]) -> tuple[TrainSettings, list[Diagnostic]]:
    """The settings of a ``train`` block, defaults filled in, and what is wrong with it."""
    found, problems = read(entries, TRAIN_ITEMS, "train")
    values: dict[str, Any] = {}
    for name, options in found.items():
        if name in ("epochs", "steps", "batch", "warmup", "label_smoothing", "clip", "seed"):
            if "value" in options:
                values[name] = options["value"]
        elif name == "sgd":
            values["optimizer"] = Sgd(**options)
        elif name == "adamw":
            values["optimizer"] = AdamW(**options)
        elif name in ("sam", "asam"):
            values["sharpness"] = Sharpness(options["rho"], adaptive=name == "asam")
        elif name == "crop":
            values["crop"] = options["padding"]
        elif name in ("cosine", "constant"):
            values |= {"schedule": name, **options}
        else:  # flip, bf16, channels_last, cuda_graph: words that switch something on
            values[name] = True
    settings = TrainSettings(**values)
    optimizer = settings.optimizer
    if isinstance(optimizer, Sgd) and optimizer.nesterov and optimizer.momentum == 0:
        problems.append(
            Diagnostic("NAS706", "'sgd': nesterov=true needs a momentum above 0", _place(entries))
        )
    return settings, problems


def _place(entries: Iterable[Entry]) -> Span | None:
    return next((entry.span for entry in entries if entry.name == "sgd"), None)


def read_data(entry: Entry | None) -> tuple[DataSettings, list[Diagnostic]]:
    """The settings of a ``data`` line, defaults filled in, and what is wrong with it.

    No line means the embedded digits.
    """
    if entry is None:
        return DataSettings(), []
    item = DATA_ITEMS.get(entry.name)
    if item is None:
        known = ", ".join(DATA_ITEMS)
        return DataSettings(), [
            Diagnostic(
                "NAS401",
                f"'{entry.name}' is not a data set{suggestion(entry.name, DATA_ITEMS)}",
                entry.span,
                notes=(Note(f"known: {known}"),),
            )
        ]
    options, problems = read_entry(entry, item)
    for name in ("validation", "test"):
        value = options.get(name, 0)
        if value >= 1 and value != int(value):
            problems.append(
                Diagnostic(
                    "NAS407",
                    f"'{item.name}', '{name}': expected a fraction below 1 or a whole number, "
                    f"found {value:g}",
                    entry.span,
                )
            )
            options[name] = float(int(value))
    if options.get("validation") == 0:
        problems.append(
            Diagnostic(
                "NAS407", f"'{item.name}', 'validation': the search needs some samples", entry.span
            )
        )
    if options.get("channels") == 2:
        problems.append(
            Diagnostic("NAS407", f"'{item.name}', 'channels': expected 1 or 3", entry.span)
        )
    if (options.get("join") is None) != (options.get("on") is None):
        problems.append(
            Diagnostic(
                "NAS407", "'table': 'join' and 'on' stand together or not at all", entry.span
            )
        )
    if item.name != "digits":
        options.setdefault("noise", 0.0)
    return DataSettings(source=item.name, span=entry.span, **options), problems

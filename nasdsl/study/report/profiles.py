"""Profiles of networks drawn side by side: a part of a run's report, and of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nasdsl.objectives.profile import Attacked, Profile
from nasdsl.study.report.curves import Line, bounds, chart, swatch

Named = Sequence[tuple[int, str, Profile]]
"""Place (it gives the color), label and profile of each network."""

_NORMS = {"linf": "L-infinity", "l2": "L2"}
_ATTACKS = {"fgsm": "FGSM", "pgd": "PGD", "apgd": "Auto-PGD", "square": "Square Attack"}


def legend(labels: Sequence[str]) -> str:
    """Mark and label of each network."""
    items = "".join(f"<li>{swatch(i)}{escape(label)}</li>" for i, label in enumerate(labels))
    return f'<ul class="who">{items}</ul>'


def parts(found: Sequence[tuple[str, Profile]], places: Sequence[int] | None = None) -> str:
    """Whatever profiles hold, each kind under its heading; empty for none.

    Args:
        found: label and profile of each network.
        places: of the networks among all, which give their colors; in order by default.
    """
    order = range(len(found)) if places is None else places
    named = [(i, label, profile) for i, (label, profile) in zip(order, found, strict=True)]
    return "".join((_corruptions(named), _attacks(named), _noise(named), _failures(named)))


def _part(heading: str, lead: str, body: str) -> str:
    return f'<div class="away"><h3>{escape(heading)}</h3><p class="lead">{escape(lead)}</p>{body}</div>'


def _figure(caption: str, drawing: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawing}</figure>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts; the first column names the row."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="scroll"><table class="plainly"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _corruptions(named: Named) -> str:
    found = [(i, label, p) for i, label, p in named if p.corrupted]
    if not found:
        return ""
    places = ("clean", "1", "2", "3", "4", "5")

    def line(i: int, label: str, p: Profile, errors: Sequence[float]) -> Line:
        return Line(label, i, tuple(100 - e for e in (p.corrupted_clean, *errors)))

    mean = chart(
        [line(i, label, p, p.by_severity) for i, label, p in found],
        places,
        "severity",
        "Accuracy against severity, mean over the corruptions",
    )
    kinds = list(dict.fromkeys(name for _, _, p in found for name in p.corrupted))
    by_kind = {
        name: [line(i, label, p, p.corrupted[name]) for i, label, p in found if name in p.corrupted]
        for name in kinds
    }
    limits = bounds([one for lines in by_kind.values() for one in lines])
    small = "".join(
        _figure(
            name.replace("_", " "),
            chart(
                lines,
                places,
                "severity",
                f"Accuracy under {name.replace('_', ' ')}",
                180,
                112,
                limits,
            ),
        )
        for name, lines in by_kind.items()
    )
    rows = [
        [
            label,
            f"{100 - p.corrupted_clean:.2f}",
            *(f"{100 - e:.2f}" for e in p.by_severity),
            "-" if p.mce is None else f"{p.mce:.2f}",
        ]
        for _, label, p in found
    ]
    head = ["accuracy in %", "clean", *(f"severity {s}" for s in range(1, 6))]
    counts = " or ".join(f"{n:,}" for n in sorted({p.corrupted_samples for _, _, p in found}))
    lead = (
        f"Accuracy in percent on {counts} {named[0][2].split} images under the fifteen standard "
        "corruptions at five severities; mCE is the mean error over severities, then over "
        "corruptions, not divided by another network's."
    )
    body = f'<div class="curves">{_figure("mean over the corruptions", mean)}</div>'
    body += table([*head, "mCE"], rows)
    return _part("Accuracy against severity", lead, f'{body}<div class="many">{small}</div>')


def _attacks(named: Named) -> str:
    kinds = dict.fromkeys((a.attack, a.norm, a.radii) for _, _, p in named for a in p.attacked)
    if not kinds:
        return ""
    figures = []
    for attack, norm, radii in kinds:
        found = [
            (i, label, a)
            for i, label, p in named
            for a in p.attacked
            if (a.attack, a.norm, a.radii) == (attack, norm, radii)
        ]
        lines = [Line(label, i, (a.clean, *a.robust)) for i, label, a in found]
        scale, across = _scale(norm)
        places = ("0", *(f"{radius * scale:.3g}" for radius in radii))
        title = f"Accuracy against epsilon under {_ATTACKS.get(attack, attack)}"
        caption = f"{_ATTACKS.get(attack, attack)}, {_NORMS.get(norm, norm)}"
        figures.append(_figure(caption, chart(lines, places, across, title)))
    rows = [
        [
            label,
            f"{_ATTACKS.get(a.attack, a.attack)}, {_NORMS.get(a.norm, a.norm)}",
            f"{a.clean:.2f}",
            *(f"{value:.2f}" for value in a.robust),
            f"{a.samples:,}",
            _stuck(a),
        ]
        for _, label, p in named
        for a in p.attacked
    ]
    head = [
        "accuracy in %", "attack", "clean", "1/16 of the radius", "1/8", "1/4", "1/2", "all",
        "images", "without gradient",
    ]  # fmt: skip
    lead = (
        f"Share of {named[0][2].split} images that are right and that the attack cannot change to "
        "a wrong class within a ball of radius epsilon, in percent. Each step across doubles the "
        "radius. An attack shows what it found: a stronger one may find more."
    )
    body = f'<div class="curves">{"".join(figures)}</div>{table(head, rows)}'
    return _part("Accuracy against epsilon", lead, body)


def _scale(norm: str) -> tuple[float, str]:
    if norm == "linf":
        return 255.0, "epsilon in 255ths of the range"
    return 1.0, "epsilon, images in 0..1"


def _stuck(attacked: Attacked) -> str:
    return str(attacked.stuck) if attacked.attack != "square" else "-"


def _noise(named: Named) -> str:
    found = [(i, label, p, p.noisy) for i, label, p in named if p.noisy is not None]
    if not found:
        return ""
    kinds = dict.fromkeys(noisy.sigmas for _, _, _, noisy in found)
    figures = []
    for sigmas in kinds:
        lines = [
            Line(label, i, (p.clean, *noisy.mean), (0.0, *noisy.spread))
            for i, label, p, noisy in found
            if noisy.sigmas == sigmas
        ]
        places = ("0", *(f"{sigma:g}" for sigma in sigmas))
        title = "Accuracy against sigma, mean over the copies"
        figures.append(_figure("mean over copies", chart(lines, places, "sigma", title)))
    rows = [
        [label, f"{p.clean:.2f}", *(f"{value:.2f}" for value in noisy.flatness)]
        for _, label, p, noisy in found
    ]
    # One table a set of sigmas would say little more; the first network's head the columns.
    head = ["R_sigma in %", "accuracy", *(f"sigma {s:g}" for s in found[0][3].sigmas)]
    copies = " or ".join(str(n) for n in sorted({noisy.copies for *_, noisy in found}))
    lead = (
        f"Accuracy in percent of {copies} copies whose every weight is multiplied by "
        "1 + sigma times standard normal noise; bars are the standard deviation over copies. "
        "R_sigma is the mean change of the accuracy, less is flatter."
    )
    body = f'<div class="curves">{"".join(figures)}</div>{table(head, rows)}'
    return _part("Accuracy against sigma", lead, body)


def _failures(named: Named) -> str:
    rows = [(label, name, reason) for _, label, p in named for name, reason in p.failures.items()]
    return "".join(
        f'<p class="warn">{escape(label)}: {escape(name)} could not be measured: '
        f"{escape(reason)}</p>"
        for label, name, reason in rows
    )

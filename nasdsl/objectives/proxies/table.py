"""What each proxy is: its formula, its sign, its transform, and where it misleads. No torch.

Conventions of all: one mini-batch, the weights as initialized, batch norms with the statistics
of the batch, dropout off, mean loss. W_l is the weight of a convolution or linear layer (no
biases, no normalization), g_l the gradient of the loss with respect to it. A score that takes
layers together is their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy.

    Attributes:
        name: without the prefix ``proxy.``.
        direction: which way is better, as its authors mean it.
        what: the exact quantity.
        transform: what a model that is not rank based should apply.
        misleads: where it does.
        source: the paper.
        static: it needs the graph alone.
    """

    name: str
    direction: Literal["maximize", "minimize"]
    what: str
    transform: Literal["none", "log", "signed log"]
    misleads: str
    source: str
    static: bool = False

    @property
    def definition(self) -> str:
        """All of it in one paragraph."""
        better = "Higher" if self.direction == "maximize" else "Lower"
        return (
            f"{self.what} {better} counts as better. Transform for regression: "
            f"{self.transform}. Misleads: {self.misleads}"
        )


_SUITE = "as in NAS-Bench-Suite-Zero, Krishnakumar et al., NeurIPS 2022"

PROXIES: dict[str, Proxy] = {
    p.name: p
    for p in (
        Proxy(
            "epe_nas",
            "maximize",
            "Sum over classes of |sum of ln(|c| + 1e-5)| over the entries c of the correlation "
            "matrix of the input gradients (of the summed outputs) of the class's samples.",
            "log",
            "the number of samples of each class in the batch decides its size; with many "
            "classes most have one sample, which says nothing.",
            f"Lopes, Alirezazadeh and Alexandre, EPE-NAS, ICANN 2021; {_SUITE}",
        ),
        Proxy(
            "fisher",
            "maximize",
            "Sum over channels of 1/2 mean_n (sum over places of a dL/da)^2, a the output of a "
            "convolution or linear layer, each channel counted once for every weight that "
            "feeds it.",
            "log",
            "wide layers weigh by their fan-in; scales with 1/N^2; heavy right tail.",
            f"Theis et al. 2018, Turner et al., BlockSwap, ICLR 2020; {_SUITE}",
        ),
        Proxy(
            "flops",
            "maximize",
            "Multiply-accumulates of one sample in the network as compiled, in millions.",
            "log",
            "blind to how operations are connected; published counters differ in what they "
            "count beside convolutions.",
            _SUITE,
            static=True,
        ),
        Proxy(
            "grad_norm",
            "maximize",
            "Sum over layers of ||g_l||_2.",
            "log",
            "a sum of norms, not the norm of all; large gradients also come from networks that "
            "do not train.",
            f"Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021; {_SUITE}",
        ),
        Proxy(
            "grasp",
            "maximize",
            "Sum over layers of -W_l (H g)_l, H the Hessian of the loss over all W.",
            "signed log",
            "the sign is the reverse of the paper's; below a batch norm it equals ||g_l||^2, so "
            "it follows grad_norm; tails of either sign.",
            f"Wang, Zhang and Grosse, GraSP, ICLR 2020; {_SUITE}",
        ),
        Proxy(
            "hessian",
            "minimize",
            "Mean over samples of the largest eigenvalue (in absolute value) of the Hessian of "
            "the sample's loss with respect to its input, by power iteration; batch norms hold "
            "the statistics of the batch fixed.",
            "log",
            "a network whose output hardly moves is flat and bad; power iteration that has not "
            "converged gives less than the eigenvalue.",
            "Zhao et al., Bridging Mode Connectivity, ICLR 2020; Jung, Lukasik and Keuper, "
            "ICLR 2023",
        ),
        Proxy(
            "jacob_fro",
            "minimize",
            "Mean over samples of the Frobenius norm of the Jacobian of the outputs with respect "
            "to the input; batch norms hold the statistics of the batch fixed.",
            "log",
            "small is robust, but also the mark of an output that hardly depends on the input.",
            "Hoffman, Roberts and Yaida 2019 (arXiv 1908.02729); Jung, Lukasik and Keuper, "
            "ICLR 2023",
        ),
        Proxy(
            "jacov",
            "maximize",
            "-sum_i [ln(l_i + 1e-5) + 1/(l_i + 1e-5)], l the eigenvalues of the correlation "
            "matrix of the samples' input gradients (of the summed outputs).",
            "signed log",
            "at most about -N, so values of different batch sizes do not compare; long left "
            "tail where two samples have nearly one gradient.",
            f"Mellor et al. 2020 (arXiv 2006.04647v1), jacob_cov; {_SUITE}",
        ),
        Proxy(
            "l2_norm",
            "maximize",
            "Sum over layers of ||W_l||_2.",
            "none",
            "knows no data and no connections: a function of shapes and initialization.",
            f"Abdelfattah et al., ICLR 2021; {_SUITE}",
        ),
        Proxy(
            "nwot",
            "maximize",
            "ln det K, K_ij the number of units of activation layers that are positive for both "
            "samples i and j or for neither.",
            "none",
            "scales with the batch and with the number of units; equal samples make it "
            "singular; counts every activation, also those that are smooth.",
            f"Mellor et al., Neural Architecture Search without Training, ICML 2021; {_SUITE}",
        ),
        Proxy(
            "params",
            "maximize",
            "Learned parameters of the network as compiled, in millions.",
            "log",
            "blind to how operations are connected; declared_params counts dead parts too.",
            _SUITE,
            static=True,
        ),
        Proxy(
            "plain",
            "maximize",
            "Sum over layers of the entries of W_l g_l, signed.",
            "signed log",
            "exactly zero for a layer under a batch norm (its scale does not matter), so it "
            "mostly looks at the classifier; correlates negatively on NAS-Bench-201.",
            f"Abdelfattah et al., ICLR 2021; {_SUITE}",
        ),
        Proxy(
            "snip",
            "maximize",
            "Sum over layers of |W_l g_l|.",
            "log",
            "follows grad_norm closely and adds little to it.",
            f"Lee, Ajanthan and Torr, SNIP, ICLR 2019; {_SUITE}",
        ),
        Proxy(
            "synflow",
            "maximize",
            "ln of the sum over layers of |W_l dR/dW_l|, R the sum of the outputs for an input "
            "of ones where all weights are their absolute values; normalizations, activations, "
            "channel gates and dropout are identities. In float64.",
            "none",
            "grows with depth and width alone; with attention or products of branches it is "
            "no sum over paths.",
            f"Tanaka et al., SynFlow, NeurIPS 2020; {_SUITE}",
        ),
        Proxy(
            "zen",
            "maximize",
            "ln of the mean over samples of sum |f(x) - f(x + 0.01 x')|, plus the sum over batch "
            "norms of ln sqrt(mean of the running variance after both passes); f the features "
            "before global pooling, weights and inputs standard normal, biases 0.",
            "none",
            "depth and batch norms drive it; one draw of weights; near no correlation on "
            "NAS-Bench-201.",
            f"Lin et al., Zen-NAS, ICCV 2021; {_SUITE}",
        ),
    )
}

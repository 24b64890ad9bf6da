space proxies_to_robustness "NAS-Bench-201's cells, with the robustness that was published of them"

use "neighborhood_search.nas"

# Validation accuracy after 12 epochs steers a search; the study itself searches nothing.
data table("nasbench201_accuracy.csv.gz", key=arch_str, search=val12_cifar10,
  report=test200_cifar10, join="nasbench201_robustness_jung2023.csv.gz", on=iso_index,
  join_key=arch_index)

# What the forests learn, beside the 15 corruptions: attacks at 1/255 in the maximum norm.
objective {
  maximize table(cifar10_clean),
  maximize table(cifar10_fgsm_eps1),
  maximize table(cifar10_pgd_eps1),
  maximize table(cifar10_apgd_eps1),
  maximize table(cifar10_square_eps1)
}
search random { samples 100 }

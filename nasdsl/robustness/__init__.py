"""How trained networks stand images that are corrupted or attacked, and weights that are moved."""

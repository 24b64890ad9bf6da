train { epochs 5, batch 32 }

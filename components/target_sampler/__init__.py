"""TargetSampler: fewer images a class, or a bootstrap replicate, of the target's train split, as a plan."""

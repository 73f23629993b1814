"""PriorEstimator: from predictions and the source index to P_s, P_t and importance weights."""

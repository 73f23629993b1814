"""ImportanceResampler: from a label prior to a pre-training set, as a plan and as Examples."""

"""Training: the Trainer component, its recipes, models and the one loop that pre-training and fine-tuning share."""

"""What both sides of the comparison with tensorflow-addons are given. Needs numpy alone."""

import numpy as np

CLASSES = 4
OPTIMIZER = {"beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3}
STEPS, PEAK = 10, 0.1
WEIGHT_DECAY = 0.03  # for addons, at a learning rate of PEAK

random = np.random.default_rng(7)
LOGITS = random.normal(size=(12, CLASSES)).astype(np.float32)
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3])
PREDICTED = np.array([0, 0, 0, 1, 2, 1, 1, 0, 3, 2, 0, 3])
FEATURES = random.normal(size=(3, 5, 5, 8)).astype(np.float32)
IMAGES = random.integers(0, 256, (2, 9, 7, 3)).astype(np.float32)
VALUES = np.linspace(-3, 3, 24, dtype=np.float32).reshape(4, 6)
KERNEL = random.normal(size=(3, 2)).astype(np.float32)
GRADIENTS = random.normal(size=(6, 3, 2)).astype(np.float32)
# A half cosine from PEAK, as a recipe without a ramp has it.
RATES = [PEAK * (1 + np.cos(np.pi * step / STEPS)) / 2 for step in range(len(GRADIENTS))]

ANGLE, SHIFT, SHEAR = 0.4, (2.0, -1.0), 0.3
CUT_SIZE, CUT_CENTRE = (4, 2), (5, 3)


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[labels]

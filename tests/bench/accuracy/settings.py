"""What the trainers on the feed and in process have in common."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """As published for CIFAR-10 (google-research/mixmatch, runs/), but for `lambda_u`, `ramp`, `ema` and `momentum`,
    which are published for 2^20 updates (75, 16,384 updates, 0.999 and 0.001) and are for 3,000 here; README.md says
    what becomes of 75 within so few."""

    batch: int = 64
    labels: int = 1000
    rate: float = 0.002  # of Adam, constant
    decay: float = 0.02  # of kernels, an update, times the rate
    lambda_u: float = 20.0
    ramp: int = 500  # updates until lambda_u has its full value
    ema: float = 0.995  # of the evaluated weights, an update
    momentum: float = 0.005  # of batch norm's running statistics

"""Learning-rate schedules, and ways to chain them."""

from perfkit.schedules.warm_up import WarmUp as WarmUp

"""The number of examples: few with `make test`, many with `make fuzz`."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings

#: The profile of `make fuzz`, and its factor of examples.
SOAK = "soak"
TIMES = 100

settings.register_profile(SOAK, max_examples=settings().max_examples * TIMES, deadline=None)


def examples(usual: int, **own: Any) -> settings:
    """Return the settings of a property.

    Args:
        usual: The number of examples with `make test`, which always uses the same ones.
        own: Further settings.
    """
    soaking = settings().max_examples >= TIMES * TIMES
    return settings(
        max_examples=usual * TIMES if soaking else usual,
        derandomize=not soaking,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        **own,
    )

"""The values that a destination can't hold."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

#: The first second of the year 1, and the first after the year 9999, in seconds since 1970.
YEAR_1, YEAR_10000 = -62_135_596_800, 253_402_300_800
#: The ticks of a timestamp in one second, by Arrow's unit.
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@dataclass(frozen=True, slots=True)
class Limits:
    """The values that a destination can't hold.

    Attributes:
        nul: Whether its texts and its JSON hold the character NUL.
        non_finite: Whether its doubles hold NaN and the infinities.
        before_year_1: Whether it holds timestamps before the year 1, which a time with an offset
            may be.
        after_year_9999: Whether it holds timestamps after the year 9999.
    """

    nul: bool = True
    non_finite: bool = True
    before_year_1: bool = True
    after_year_9999: bool = True

    def holds(self, values: pa.Array) -> bool:
        """Return whether the destination holds these values, if they are timestamps.

        Other values are checked when their text is converted.
        """
        if self.before_year_1 and self.after_year_9999:
            return True
        if not pa.types.is_timestamp(values.type):
            return True
        ticks = TICKS[values.type.unit]
        bounds = pc.min_max(values.cast(pa.int64())).as_py()
        first, last = bounds["min"], bounds["max"]
        return first is None or not (
            (first < YEAR_1 * ticks and not self.before_year_1)
            or (last >= YEAR_10000 * ticks and not self.after_year_9999)
        )

# SPDX-License-Identifier: Apache-2.0
"""Whether parcels lie on the edges in the satellite's picture as their datum is stated, or only under another datum.

A wrong datum puts every parcel of a region 0.3 to 1.4 km beside its land. Then its outline crosses fields instead of
running between them: the mean edge strength along all outlines tells, though no single parcel could.
"""

from __future__ import annotations

from acreline.datum_fit.fit import DatumFit, Score, check_datum, datum_lines, fit_datum

__all__ = ["DatumFit", "Score", "check_datum", "datum_lines", "fit_datum"]

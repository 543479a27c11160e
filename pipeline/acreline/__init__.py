# SPDX-License-Identifier: Apache-2.0
"""Satellite scenes in, a farm's credit line out: each step open, measured and replayable."""

# SPDX-License-Identifier: Apache-2.0
"""A county with known truth: land, crops, growth and damage first, then what a satellite would have seen of them."""

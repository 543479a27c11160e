# SPDX-License-Identifier: Apache-2.0
"""Acts of people around a limit: what they changed, on what authority, and what farmers objected to."""

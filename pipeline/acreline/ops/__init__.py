# SPDX-License-Identifier: Apache-2.0
"""What whoever runs acreline every night asks of run folders: how the night went, how full the disk is, what may go."""

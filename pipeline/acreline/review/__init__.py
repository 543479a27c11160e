# SPDX-License-Identifier: Apache-2.0
"""What a risk team looks at before a policy or a model is released; nothing here changes a publication."""

# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""What all unit tests share: no settings of the machine, and the same examples in every run."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import HealthCheck, Phase, configuration, settings

from ansible_collections.crossregion.s3_dr.tests.unit.fake_aws import FakeAws

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

configuration.set_hypothesis_home_dir(tempfile.gettempdir())
settings.register_profile(
    "unit",
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=20,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")


@pytest.fixture
def aws() -> FakeAws:
    """An empty AWS."""
    return FakeAws()

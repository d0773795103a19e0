# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""AWS on one machine, for the demo and the tests.

This package starts MiniStack, a local emulator of AWS, and corrects it exactly where it differs from AWS in what
S3 replication touches. It is not a second emulator: where MiniStack is right, there is nothing here.

    PYTHONPATH=tests python -m local_aws start --state-dir DIR
    eval "$(PYTHONPATH=tests python -m local_aws env --state-dir DIR)"
    PYTHONPATH=tests python -m local_aws stop --state-dir DIR

Nothing in the product imports this package; the product knows only ``AWS_ENDPOINT_URL``.
"""

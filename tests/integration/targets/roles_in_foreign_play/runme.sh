#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
#
# The roles in somebody else's play: the first run makes everything, the second one changes nothing.

set -eu

options=(--inventory "localhost," --extra-vars "@../../integration_config.yml" --extra-vars "shop_prefix=it-$$-${RANDOM}")
second_run=$(mktemp)

clean() {
    rm -f "${second_run}"
    ansible-playbook "${options[@]}" clean.yml
}
trap clean EXIT

ansible-playbook "${options[@]}" "$@" playbook.yml
ansible-playbook "${options[@]}" "$@" check.yml
ansible-playbook "${options[@]}" "$@" playbook.yml | tee "${second_run}"
grep -E '^localhost .* changed=0 .* failed=0 ' "${second_run}"

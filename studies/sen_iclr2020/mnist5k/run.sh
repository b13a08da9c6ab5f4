#!/usr/bin/env bash
# Trains, attacks and verifies all that README.md reports, into measurements.jsonl. What is finished is not done again.
# Usage: ./run.sh [FOLDER]   the folder of checkpoints, runs/ if not given
set -euo pipefail
cd "$(dirname "$0")"
export OMP_NUM_THREADS=1  # the last bits of a training depend on it, and so does speed: two runs on two cores share best
runs=${1:-runs}
measurements=${MEASUREMENTS:-measurements.jsonl}

measure() { # ensemble, defence
    for accounting in released standard; do
        empir attack --ensemble "$1" --defence "$2" --checkpoints "$runs" --accounting "$accounting" -o "$measurements"
    done
}

all() { # ensemble, defence
    empir train --ensemble "$1" --defence "$2" -o "$runs"
    measure "$1" "$2"
    empir verify --ensemble "$1" --defence "$2" --checkpoints "$runs" -o "$measurements"
}

for ensemble in fp w2a4 w2a2 w4a4 ../mnistconv triple_average pair_max_vote pair_average; do
    all "$ensemble.yaml" none
done
measure triple_random_switch.yaml none
empir attack --ensemble ../mnistconv.yaml --gradient paper --accounting released --checkpoints "$runs" -o "$measurements"
empir attack --ensemble ../mnistconv.yaml --gradient full_precision --attack cw --checkpoints "$runs" -o "$measurements"
for defence in distillation fgsm_adversarial; do
    all fp.yaml "$defence"
done

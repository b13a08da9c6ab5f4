#!/usr/bin/env bash
# Trains and attacks every ensemble of the grid, into measurements.jsonl. What is finished is not done again.
# Usage: ./run.sh [FOLDER]   the folder of checkpoints, runs/ if not given
set -euo pipefail
cd "$(dirname "$0")"
export OMP_NUM_THREADS=1  # the last bits of a training depend on it
runs=${1:-runs}
measurements=${MEASUREMENTS:-measurements.jsonl}
common=(--checkpoints "$runs" --limit 500 -o "$measurements")
ensembles=(m1n{0..4}.yaml m0n{1..4}.yaml m2n{0..4}.yaml)

empir train --ensemble m2n4.yaml -o "$runs"  # all others are some of its members
for ensemble in "${ensembles[@]}"; do
    empir attack --ensemble "$ensemble" --attack fgsm,bim,pgd "${common[@]}"
done
for ensemble in "${ensembles[@]}"; do
    empir verify --ensemble "$ensemble" "${common[@]}"
done
for ensemble in "${ensembles[@]}"; do
    empir attack --ensemble "$ensemble" --attack fgsm,bim,pgd,cw --accounting released "${common[@]}"
done

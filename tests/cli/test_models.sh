# Every file of experiments/models builds, and costs what its comment says: parameters and MACs of the papers' tables.
. tests/support/sh.sh

checked=0
for file in experiments/models/*.yaml; do
    name=$(basename "$file" .yaml)
    want=$(sed -n 's/^# \([0-9,]*\) parameters; \([0-9,]*\) MACs an image as fvcore counts them.*/\1 \2/p' "$file" | tr -d ',')
    if [ -z "$want" ]; then
        skip "$name" "its comment gives no costs"
        continue
    fi
    got=$("$vittm" cost "$name" --convention fvcore --format csv 2>&1 | tail -n 1)
    checked=$((checked + 1))
    if [ "$got" = "$name,$(echo "$want" | tr ' ' ',')" ]; then
        pass "$name"
    else
        fail "$name: $got, expected $want"
    fi
done
check "there are models" test "$checked" -gt 20
expect_text "did you mean vittm_b_64_64?" "a mistyped model suggests" "$vittm" cost vittm_b_64_46
expect_code 2 "an unknown model is a usage error" "$vittm" cost no_such_model_at_all
expect_code 2 "a missing file is a usage error" "$vittm" cost experiments/models/none.yaml
finish

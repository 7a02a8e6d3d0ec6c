# Every command explains itself; mistakes are met with the nearest name and exit code 2.
. tests/support/sh.sh

commands=$($vittm help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p')
check "help lists commands" test -n "$commands"

wide() { awk '{ gsub(/[^ -~]/, "?") } length($0) > 240 || length($0) > 82 { print FILENAME ": " $0; bad = 1 } END { exit bad }' "$@"; }

LC_ALL=C.UTF-8 $vittm help > "$scratch/help"
check "help fits 80 columns" wide "$scratch/help"
for c in $commands; do
    expect_code 0 "$c --help" "$vittm" "$c" --help
    "$vittm" "$c" --help > "$scratch/$c.help"
    check "$c --help shows its usage" grep -q "^usage: vittm $c" "$scratch/$c.help"
    check "help $c is the same" sh -c "'$vittm' help $c | cmp - '$scratch/$c.help'"
    expect_code 2 "$c refuses an unknown option" "$vittm" "$c" --no-such-option-at-all
    expect_text "did you mean --help?" "$c --helq suggests" "$vittm" "$c" --helq
done

expect_code 2 "no command" "$vittm"
expect_code 2 "unknown command" "$vittm" tabel
expect_text "did you mean completion?" "a mistyped command suggests" "$vittm" completoin
expect_text "did you mean completion?" "help of a mistyped command suggests" "$vittm" help completoin
expect_code 2 "help of an unknown command" "$vittm" help completoin
expect_code 2 "unknown global option" "$vittm" --verison
expect_text "did you mean --man?" "a mistyped option suggests" "$vittm" help --mam=x
expect_code 2 "an option without its value" "$vittm" help --man
expect_code 2 "too many operands" "$vittm" help help help
expect_code 2 "too few operands" "$vittm" completion
expect_code 2 "unknown shell" "$vittm" completion tcsh
expect_code 0 "--version" "$vittm" --version
expect_text "vittm 0." "--version names the version" "$vittm" --version
expect_code 0 "--no-color before the command" "$vittm" --no-color help
expect_code 0 "--no-color after the command" "$vittm" help --no-color

# Data on stdout, chatter on stderr: a mistake prints nothing on stdout, in one line.
"$vittm" tabel > "$scratch/stdout" 2> "$scratch/stderr"
check "a mistake leaves stdout empty" test ! -s "$scratch/stdout"
check "a mistake is one line" test "$(wc -l < "$scratch/stderr")" -eq 1

# A full disk is an error, not silence.
if [ -w /dev/full ]; then
    for command in help --version "list keys" "completion bash"; do # more and less than a buffer
        expect_code 3 "stdout that cannot be written: $command" sh -c "'$vittm' $command > /dev/full"
    done
else
    skip "stdout that cannot be written" "no /dev/full"
fi

# What shells make of the completions.
for shell in bash zsh fish; do
    "$vittm" completion "$shell" > "$scratch/completion.$shell"
    if command -v "$shell" > /dev/null 2>&1; then
        check "$shell reads its completion" "$shell" -n "$scratch/completion.$shell"
    else
        skip "$shell reads its completion" "$shell is not installed"
    fi
done
cat > "$scratch/complete.bash" <<BASH
. "$scratch/completion.bash"
COMP_WORDS=(vittm compl) COMP_CWORD=1
_vittm
echo "\${COMPREPLY[*]}"
COMP_WORDS=(vittm completion z) COMP_CWORD=2
_vittm
echo "\${COMPREPLY[*]}"
BASH
expect_text "completion" "bash completes a command" bash "$scratch/complete.bash"
expect_text "zsh" "bash completes a word" bash "$scratch/complete.bash"

# Manual pages.
expect_code 0 "manual pages are written" "$vittm" help --man "$scratch/man"
for c in $commands; do
    check "manual page of $c" test -s "$scratch/man/vittm-$c.1"
done
if command -v groff > /dev/null 2>&1; then
    check "groff has no complaint" sh -c "groff -k -man -Tutf8 -ww '$scratch'/man/*.1 2>&1 >/dev/null | { ! grep . ; }"
else
    skip "groff has no complaint" "groff is not installed"
fi

check "no colours into a pipe" sh -c "! '$vittm' help | grep -q '$(printf '\033')'"
finish

# The generated header changes only where something changed; demo, CI and lint call what exists.
. tests/support/sh.sh

facts() { CC=${CC:-gcc} tools/build-facts "$scratch/generated/build_facts.h" "$@"; }
check "build-facts writes its header" facts 0.1.0 "-O2 -DX=\"a b\"" "-O3"
stamp() { stat -c %y "$scratch/generated/build_facts.h"; }
before=$(stamp)
facts 0.1.0 "-O2 -DX=\"a b\"" "-O3"
check "the same facts leave it alone" test "$before" = "$(stamp)"
facts 0.1.0 "-O1" "-O3"
check "other flags rewrite it" test "$before" != "$(stamp)"
printf '#include "build_facts.h"\nint main(void) { return BUILD_DIRTY < 0 || build_diff[0] > 255 || BUILD_FLAGS[0] == 0; }\n' \
    > "$scratch/facts.c"
check "it compiles" "${CC:-gcc}" -I "$scratch/generated" -o "$scratch/facts" "$scratch/facts.c"
check "and holds what it says" "$scratch/facts"

# A new, empty folder in the tree must not break the list of sources.
check "make understands its makefile" make -n -s BUILD="$scratch/build" format
for script in tools/* .ci/run; do
    [ -f "$script" ] && [ "$(head -c 2 "$script")" = "#!" ] || continue
    check "$script can be executed" test -x "$script"
    case $script in
    *.py)
        if command -v python3 > /dev/null 2>&1; then
            check "$script parses" python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$script"
        else
            skip "$script parses" "python3 is not installed"
        fi
        ;;
    *)
        interpreter=$(head -n 1 "$script" | sed 's/^#!//')
        check "$script parses" "$interpreter" -n "$script"
        ;;
    esac
done
if command -v shellcheck > /dev/null 2>&1; then
    check "shellcheck has no complaint" shellcheck -S warning tools/run-tests tools/setup tools/detect tools/build-facts \
        tools/lint-layers tools/lint-forbidden tools/demo .ci/run
else
    skip "shellcheck has no complaint" "shellcheck is not installed"
fi
finish

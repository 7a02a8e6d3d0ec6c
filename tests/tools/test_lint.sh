# The lint tools see what they are there to see.
. tests/support/sh.sh

copy=$scratch/tree
mkdir -p "$copy/base" "$copy/heads" "$copy/results" "$copy/cli" "$copy/tensor/graph" "$copy/tools"
cp DESIGN.md "$copy"
cp tools/lint-layers tools/lint-forbidden "$copy/tools"
in_copy() { (cd "$copy" && "$@"); }

echo '#include "base/error.h"' > "$copy/heads/a.c"
echo '#include "tensor/graph/graph.h"' > "$copy/heads/b.c"
echo '#include "plots/figure.h"' > "$copy/cli/all.c"
expect_code 0 "allowed includes" in_copy tools/lint-layers heads/a.c heads/b.c cli/all.c
echo '#include "model/model.h"' > "$copy/heads/up.c"
expect_code 1 "heads may not include model" in_copy tools/lint-layers heads/up.c
echo '#include "tensor/graph/graph.h"' > "$copy/results/up.c"
expect_code 1 "results may not include tensor" in_copy tools/lint-layers results/up.c
echo '#  include "heads/head.h"' > "$copy/base/up.c"
expect_code 1 "base may include nothing" in_copy tools/lint-layers base/up.c
echo '#include "tensor/compile/plan.h"' > "$copy/tensor/graph/up.c"
expect_code 1 "tensor/graph may not include tensor/compile" in_copy tools/lint-layers tensor/graph/up.c

printf 'void f(char *a) { strcpy(a, "x"); }\n' > "$copy/cli/bad.c"
expect_code 1 "strcpy is forbidden" in_copy tools/lint-forbidden cli/bad.c
printf 'void *f(void) { return malloc(3); }\n' > "$copy/cli/bad.c"
expect_code 1 "malloc outside base is forbidden" in_copy tools/lint-forbidden cli/bad.c
cp "$copy/cli/bad.c" "$copy/base/ok.c"
expect_code 0 "malloc inside base is not" in_copy tools/lint-forbidden base/ok.c
printf '/* strcpy( is named\n * system( too */ int f(void) { return puts("popen(x)"); } // rand()\n' > "$copy/cli/ok.c"
expect_code 0 "comments and strings are not calls" in_copy tools/lint-forbidden cli/ok.c
printf 'int f(struct s *s) { return s->rand(1) + snprintf(0, 0, "x"); }\n' > "$copy/cli/ok.c"
expect_code 0 "members and longer names are not calls" in_copy tools/lint-forbidden cli/ok.c
finish

# Contracts of the op table, the planner and everything that plugs into a model.
. tests/support/sh.sh
"$vittm" selftest --verbose

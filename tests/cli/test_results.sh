# The commands over the result store, on runs that are imported from a CSV file.
. tests/support/sh.sh

db=$scratch/results.db
cat > "$scratch/runs.csv" <<'CSV'
experiment,cell,seed,device,state,label,model.rw_head,model.fusion,val/top1,cost/macs
heads,aaaa1111aaaa1111,0,cpu,done,cross/erase,cross,erase,40.5,1000
heads,aaaa1111aaaa1111,1,cpu,done,cross/erase,cross,erase,41.5,1000
heads,bbbb2222bbbb2222,0,cpu,done,cross/add,cross,add,60,1010
heads,bbbb2222bbbb2222,1,cpu,done,cross/add,cross,add,61,1010
heads,cccc3333cccc3333,0,cpu,failed,linear/add,linear,add,,900
CSV
v() { "$vittm" "$@" --db "$db"; }

expect_code 3 "no database yet" v ls
expect_text "vittm run" "and what makes one" v ls
here=$(pwd)
mkdir "$scratch/fresh"
fresh() { (cd "$scratch/fresh" && unset VITTM_DB && "$@"); }
case $vittm in /*) program=$vittm ;; *) program=$here/$vittm ;; esac
for command in "tag aaaa1111-s0 text" "gc"; do
    # shellcheck disable=SC2086  # a command and its operands
    expect_code 3 "$command needs a database" fresh "$program" $command
    # shellcheck disable=SC2086
    expect_text "no such database" "and says so" fresh "$program" $command
done
check "and makes none" test -z "$(ls "$scratch/fresh")"
expect_code 0 "import in an empty folder" fresh "$program" import ../runs.csv
check "makes out/vittm.db" test -s "$scratch/fresh/out/vittm.db"
expect_code 0 "merge into a folder that is not there" fresh "$program" merge out/vittm.db --db far/away/all.db
check "makes it" test -s "$scratch/fresh/far/away/all.db"
expect_code 0 "import" v import "$scratch/runs.csv"
expect_code 0 "importing twice" v import "$scratch/runs.csv"
expect_code 3 "import of a missing file" v import "$scratch/none.csv"

check "ls lists every run" test "$(v ls --format csv | wc -l)" -eq 6
check "ls --where" test "$(v ls --where "state = 'failed'" --format csv | wc -l)" -eq 2
check "ls --sort, -n" sh -c "'$vittm' ls --sort '-val/top1' -n 1 --format csv --db '$db' | grep -q bbbb2222bbbb2222-s1"
expect_code 2 "ls of an unknown column" v ls --sort val/top2
expect_text "did you mean val/top1" "and its nearest" v ls --sort val/top2
expect_code 2 "ls with broken SQL" v ls --where "state ="
expect_code 2 "ls of an unknown experiment" v ls haeds

expect_text "cross/erase" "show by a beginning" v show aaaa1111-s0
expect_code 2 "show of nothing" v show zzzz
expect_code 2 "show with two views" v show aaaa1111-s0 --log --env
expect_text "erase" "diff names the key's values" v diff aaaa bbbb
long=$(printf 'x%.0s' $(seq 400))
printf 'experiment,cell,seed,device,state,data.root,val/top1\npages,dddd4444dddd4444,0,cpu,done,%s,1\n' "$long" > "$scratch/long.csv"
printf 'pages,eeee5555eeee5555,0,cpu,done,%sy,1\n' "$long" >> "$scratch/long.csv"
"$vittm" import "$scratch/long.csv" --db "$scratch/long.db" > "$scratch/said" 2>&1
expect_text "data.root  400 characters" "a text of a page does not make diff's lines as long" \
    "$vittm" diff dddd4444-s0 eeee5555-s0 --db "$scratch/long.db"
expect_text "$long" "for programs it is whole" "$vittm" diff dddd eeee --format csv --db "$scratch/long.db"
expect_text "41.00" "table has the mean" v table heads --rows model.rw_head --cols model.fusion
expect_text "n=2" "and n" v table heads --rows model.rw_head --cols model.fusion
expect_text "failed" "and failures" v table heads --rows model.rw_head --cols model.fusion
expect_code 2 "table of an unknown experiment" v table haeds
baseline_is() { v table heads --baseline "$1" --format csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "baseline") c = i }
    NR > 1 && $c == 1 { print $2 }'; }
check "a baseline by keys" test "$(baseline_is model.rw_head=cross,model.fusion=add)" = cross/add
check "by an expression" test "$(baseline_is "model.rw_head == cross and model.fusion != add")" = cross/erase
check "by its label" test "$(baseline_is "label == 'linear/add'")" = linear/add
expect_text "several cells" "which one cell must fit" v table heads --baseline "model.rw_head == cross"
expect_text "did you mean model.fusion?" "with known keys" v table heads --baseline "model.fusoin == add"
expect_text "did you mean model.fusion?" "by their last part" v table heads --baseline "fusoin == add"
expect_text "4 of 5 runs done" "status" v status heads
expect_code 0 "tag" v tag bbbb2222-s1 "the one in the talk"
expect_text "the one in the talk" "a tag shows" v show bbbb2222-s1

# Machine formats are a contract: one array of flat objects, integers whole.
v query 'SELECT label, count(*) AS n FROM v_runs GROUP BY 1 ORDER BY 1' --format json > "$scratch/q.json"
check "query as JSON" sh -c "tr -d ' \n' < '$scratch/q.json' | grep -qF '[{\"label\":\"cross/add\",\"n\":2},'"
for format in table csv json jsonl md latex; do
    expect_code 0 "ls --format $format" v ls --format "$format"
    expect_code 0 "views --format $format" "$vittm" views --format "$format"
done
expect_code 2 "an unknown format" v ls --format xml
expect_code 2 "query cannot write" v query 'DELETE FROM run'
expect_code 2 "query cannot make a table" v query 'CREATE TABLE x(a)'
expect_text "2" "query may use json_each" v query "SELECT max(value) FROM json_each('[1, 2]')"
expect_code 2 "query of an unknown view" v query 'SELECT * FROM v_rnus'
v ls --format csv > "$scratch/before"

expect_code 0 "export into a file" v export heads -o "$scratch/out.csv"
expect_code 0 "an export imports" "$vittm" import "$scratch/out.csv" --db "$scratch/second.db"
"$vittm" ls --format csv --db "$scratch/second.db" > "$scratch/after"
check "and nothing is lost on the way" cmp "$scratch/before" "$scratch/after"
expect_code 0 "merge" "$vittm" merge "$db" --db "$scratch/third.db"
"$vittm" ls --format csv --db "$scratch/third.db" > "$scratch/after"
check "merge copies every run" cmp "$scratch/before" "$scratch/after"
sed 's/,61,/,62,/' "$scratch/runs.csv" > "$scratch/other.csv"
expect_code 0 "another machine's numbers" "$vittm" import "$scratch/other.csv" --db "$scratch/fourth.db"
expect_code 1 "merge reports a conflict" "$vittm" merge "$scratch/fourth.db" --db "$scratch/third.db"

if command -v gnuplot > /dev/null 2>&1; then
    expect_code 0 "plot pareto" v plot pareto heads -o "$scratch/pareto.svg"
    check "is an SVG" grep -q '<svg' "$scratch/pareto.svg"
    expect_code 0 "report" v report heads -o "$scratch/report.html"
    check "is one page" grep -q '</html>' "$scratch/report.html"
else
    skip "plot and report" "gnuplot is not installed"
fi
expect_code 2 "plot without -o" v plot pareto heads
expect_code 2 "plot of an unknown figure" v plot paerto heads -o "$scratch/x.svg"
expect_code 2 "plot into an unknown format" v plot pareto heads -o "$scratch/x.bmp"

expect_code 0 "gc -n" v gc -n
expect_code 0 "gc" v gc
check "gc keeps what belongs to an experiment" sh -c "'$vittm' ls --format csv --db '$db' | cmp - '$scratch/before'"
expect_text "integrity" "doctor looks at the database" v doctor
printf 'not a database at all, but long enough to be looked at as one' > "$scratch/broken.db"
expect_code 3 "a file that is no database" "$vittm" ls --db "$scratch/broken.db"
# At 80 columns a table keeps the names of its cells; other columns are shortened, then left out.
awk 'BEGIN {
    print "experiment,cell,seed,device,state,label,val/top1,cost/params,cost/macs,latency/p50_ms,throughput/img_s,memory/peak_bytes"
    for (i = 1; i <= 3; i++) for (s = 0; s < 3; s++)
        printf "wide,%016d,%d,cpu,done,token_summary/add_erase_%d,%.2f,1e6,2e6,12.3,5200,52e6\n", i, s, i, 40 + i + s / 10
}' > "$scratch/wide.csv"
expect_code 0 "import of a wide table" v import "$scratch/wide.csv"
COLUMNS=80 v table wide > "$scratch/wide" 2> "$scratch/err"
check "the cells' names are whole" grep -q '^token_summary/add_erase_3  ' "$scratch/wide"
check "lines of 80 columns" sh -c "! LC_ALL=C.UTF-8 grep -E '^.{81}' '$scratch/wide'"
check "nothing is cut" sh -c "! grep -q '…' '$scratch/wide'"
check "short headers before columns are left out" grep -q 'M params  M MACs' "$scratch/wide"
expect_text "(n=3)" "pivots that fit say n" v table wide --format md
expect_text "41.10 ± 0.10" "the figures stay" cat "$scratch/wide"
expect_text "(did you mean wide?)" "a file in place of an experiment" v table runs/wide.yaml
expect_text "(did you mean wide?)" "also for figures" v plot pareto wide.yaml -o "$scratch/x.svg"

# Lists are written as people write them, and found so; for programs they are as they are stored.
cat > "$scratch/lists.csv" <<'CSV'
experiment,cell,seed,device,state,model.patch,val/top1
lists,aaaa2222aaaa2222,0,cpu,done,[8],50
lists,bbbb2222bbbb3333,0,cpu,done,[4],60
longer,cccc2222cccc3333,0,cpu,done,"[3, 6]",60
CSV
expect_code 0 "import of lists" v import "$scratch/lists.csv"
v table lists --rows model.patch > "$scratch/lists"
check "a list of one is its number" grep -Eq '^ *8  ' "$scratch/lists"
v table longer --rows model.patch > "$scratch/lists"
check "a longer one has no brackets" grep -q '^3,6  ' "$scratch/lists"
check "for programs it is whole" sh -c "'$vittm' table longer --rows model.patch --format csv --db '$db' | grep -qF '\"[3, 6]\"'"
expect_code 0 "a baseline by it" v table lists --rows model.patch --baseline model.patch=8
expect_code 0 "by an expression" v table lists --rows model.patch --baseline "model.patch == 8"
expect_code 2 "which no cell meets" v table lists --rows model.patch --baseline "model.patch == 9"
sed 's/longer,/lists,/' "$scratch/lists.csv" > "$scratch/mixed.csv"
expect_code 0 "lists of one and of several" v import "$scratch/mixed.csv"
for baseline in "model.patch=3,6" "model.patch == 3,6" "model.patch == [3, 6]" "model.patch in [[3, 6]]" \
    "model.patch == 8"; do
    expect_code 0 "$baseline beside both" v table lists --rows model.patch --baseline "$baseline"
done
expect_code 0 "a stored list in SQL" v ls lists --where "\"model.patch\" = '[3, 6]'"

expect_code 2 "effects of what has no axes" v table heads --effects
expect_text "does not go with --rows" "effects are over all axes" v table heads --effects --rows model.fusion
expect_text "kept no list of the images" "runs without bits cannot be compared by image" \
    v diff aaaa1111-s0 bbbb2222-s0 --images
expect_code 2 "and the exit code" v diff aaaa1111-s0 bbbb2222-s0 --images
finish

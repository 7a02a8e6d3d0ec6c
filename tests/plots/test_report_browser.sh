# The report in a headless browser: no message on the console, no request to a network. The same look at a page that
# makes both finds them.
. tests/support/sh.sh

browser=
for candidate in chromium chromium-browser google-chrome; do
    command -v "$candidate" > "$scratch/where" 2>&1 && browser=$candidate && break
done
if [ -z "$browser" ]; then
    skip "the report in a browser" "no chromium here"
    finish
    exit
fi

cat > "$scratch/r.yaml" << 'YAML'
name: r
title: A <b>title</b> & "quotes"
measure: [cost, accuracy]
seeds: 2
grid: {model.fusion: [add, erase]}
baseline: {model.fusion: add}
model: {family: vittm, image_size: 32, classes: 10, dim: 16, depth: 1, heads: 2, memory_patch: 8, process_patch: 16,
        rw_head: linear}
data: {dataset: shapes, train_size: 32, val_size: 16}
train: {epochs: 2, batch: 16}
YAML
check "four runs" "$vittm" run "$scratch/r.yaml" --db "$scratch/t.db" --out "$scratch/runs"
check "their report" "$vittm" report r --db "$scratch/t.db" -o "$scratch/r.html"
check "each id in it is one section's" test -z "$(grep -o ' id="[^"]*"' "$scratch/r.html" | sort | uniq -d)"

# visit PAGE: what its console says into console, what it asks a network for into requests. What the browser asks for
# itself, updates and the time, does not count.
visit() {
    here=$(pwd)/$scratch
    HOME=$here timeout 120 "$browser" --headless --no-sandbox --disable-gpu --no-first-run --user-data-dir="$here/profile" \
        --disable-background-networking --disable-component-update --disable-sync --enable-logging=stderr \
        --log-net-log="$here/net.json" --virtual-time-budget=3000 --dump-dom "file://$here/$1" \
        > "$scratch/dom" 2> "$scratch/stderr"
    grep ':CONSOLE' "$scratch/stderr" > "$scratch/console"
    grep -o '"url":"[a-z]*://[^"]*"' "$scratch/net.json" |
        grep -vE '"(file|chrome|data|devtools)[^/]*:|://[^/]*(google|googleapis|gvt1)\.com/' | sort -u > "$scratch/requests"
}

printf '<!DOCTYPE html><img src="http://127.0.0.1:9/x.png"><script>no_such_function()</script>' > "$scratch/bad.html"
visit bad.html
if [ ! -s "$scratch/dom" ]; then
    skip "the report in a browser" "$browser does not start here"
    finish
    exit
fi
check "a bad page: an error is seen" grep -q no_such_function "$scratch/console"
check "and a request" grep -q 127.0.0.1 "$scratch/requests"
visit r.html
check "the report is there" grep -q 'Reproduc' "$scratch/dom"
check "nothing on its console" test ! -s "$scratch/console"
check "no request" test ! -s "$scratch/requests"

# A click on a head sorts by that column, a second one the other way round; the policy that allows the page's own
# script alone has to go for a script that clicks.
cat > "$scratch/click.js" << 'JS'
const table = document.querySelector('#cells table');
const head = [...table.tHead.rows[0].cells].find((h) => h.textContent.includes('top-1'));
const values = () => [...table.tBodies[0].rows].map((r) => Number(r.cells[head.cellIndex].dataset.v));
const ordered = (v) => v.length > 1 && v.every((x, i) => i === 0 || v[i - 1] <= x);
head.click();
const up = ordered(values());
head.click();
document.title = 'up ' + up + ' down ' + ordered(values().reverse());
JS
{
    sed 's/<meta http-equiv="Content-Security-Policy"[^>]*>//' "$scratch/r.html"
    echo '<script>'
    cat "$scratch/click.js"
    echo '</script>'
} > "$scratch/sorted.html"
visit sorted.html
check "columns sort both ways" grep -q '<title>up true down true</title>' "$scratch/dom"
finish

# tools/setup on machines that are simulated by a PATH of our own and SETUP_ROOT: nothing is installed.
. tests/support/sh.sh

setup=$PWD/tools/setup
bin=$scratch/bin
root=$scratch/root/
mkdir -p "$bin" "$root/usr/include/openssl"

# A machine that has everything: its headers and programs.
for h in stdio.h cblas.h yaml.h sqlite3.h jpeglib.h png.h zlib.h jansson.h openssl/evp.h cmocka.h; do
    : > "$root/usr/include/$h"
done
script() {
    printf '#!/bin/sh\n%s\n' "$2" > "$bin/$1"
    chmod +x "$bin/$1"
}
for p in gcc make ar gnuplot; do script "$p" 'exit 0'; done
for p in uname tr sed id printf cat; do
    ln -s "$(command -v "$p")" "$bin/$p" 2> /dev/null || :
done

on() { env -i PATH="$bin" SETUP_ROOT="$root" /bin/sh "$setup" "$@"; }

expect_code 0 "nothing to do where all is there" on
on > "$scratch/out" 2>&1
check "and nothing is said" test ! -s "$scratch/out"

rm "$bin/gnuplot"
expect_code 3 "not Debian: exit code 3" on
expect_text "not Debian" "not Debian: says so" on
expect_text "gnuplot-nox" "not Debian: names what is needed" on
expect_text "figures" "and what for" on

# Debian without root or sudo.
script apt-get 'exit 1'
script id 'echo 1000'
expect_code 3 "no root, no sudo: exit code 3" on
expect_text "neither root nor sudo" "no root, no sudo: says so" on

# sudo is used.
script apt-cache 'exit 0'
script sudo 'echo "sudo $*" >> "$0.log"; exec "$@"'
script apt-get "case \$1 in install) printf '#!/bin/sh\n' > $bin/gnuplot; chmod +x $bin/gnuplot ;; esac"
ln -sf "$(command -v chmod)" "$bin/chmod"
expect_code 0 "sudo installs" on
check "through sudo apt-get install" grep -q 'sudo apt-get install .*gnuplot-nox' "$bin/sudo.log"
check "only what is missing" sh -c "! grep -q cmocka '$bin/sudo.log'"

# Lists are missing: they are fetched first.
rm "$bin/gnuplot"
script apt-cache "[ -e $bin/lists ]"
script apt-get "echo \"\$*\" >> $bin/apt.log
case \$1 in
update) : > $bin/lists ;;
install) [ -e $bin/lists ] || exit 100
    printf '#!/bin/sh\n' > $bin/gnuplot; chmod +x $bin/gnuplot ;;
esac"
script id 'echo 0'
expect_code 0 "missing package lists are fetched" on
check "by apt-get update, first" sh -c "head -n 1 '$bin/apt.log' | grep -q '^update'"

# Lists are stale: the first install fails, they are fetched, the second works.
rm "$bin/gnuplot" "$bin/lists" "$bin/apt.log"
script apt-cache 'exit 0'
expect_code 0 "stale package lists are fetched" on
check "after an installation that failed" test "$(grep -c '^install' "$bin/apt.log")" -eq 2

# What does not appear after installing is an error, not silence.
rm "$bin/gnuplot"
script apt-get 'exit 0'
expect_code 3 "an installation that changes nothing" on

# lint needs one more.
script gnuplot 'exit 0'
expect_text "clang-format" "setup lint asks for clang-format" on lint
finish

# vittm
#   make            build/release/vittm, linked as ./vittm; prints what it found on this machine
#   make demo       install what is missing, build, run experiments/quick.yaml, draw its table and figures
#   make test       install what is missing, then every test this machine can run
#   make check      the same tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   make lint       include law, format, self-contained headers, forbidden functions
#   make bench      the benchmark programs under bench/, ratios first; BENCH=ops for one, PYTHON= a python3 with torch
#   make install    binary, experiments, published numbers, manual pages and completions under PREFIX
#   make format     clang-format every source
#   make clean      remove build/, ./vittm
#
# Variables: BUILD=build/release (all output goes there), CC=gcc, EXTRA_CFLAGS=, PREFIX=/usr/local, DESTDIR=,
# JOBS=(processors), TESTS=(a part of test names: make test TESTS=strbuf).

VERSION := 0.1.0
BUILD   ?= build/release
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
TESTS   ?=
ifeq ($(origin CC),default)
CC := gcc
endif

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory
# As many jobs as processors unless the command line says otherwise (its -j wins over this one).
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

# ---- flags -------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wformat=2 \
            -Wpointer-arith -Werror
CPPFLAGS := -D_GNU_SOURCE -I. -I$(BUILD)/generated
# One set of objects for the program and for the plugins, which are shared libraries.
COMMON   := -std=c11 -g $(WARNINGS) -MMD -MP -fPIC -fvisibility=hidden
# One rounding per operation everywhere but in the kernels: numbers do not depend on the target.
CFLAGS   := $(COMMON) -O2 -ffp-contract=off $(EXTRA_CFLAGS)
LDLIBS   := -lopenblas -lyaml -lsqlite3 -ljpeg -lpng -lz -ljansson -lcrypto -lm -lpthread -ldl -fopenmp

# Kernel files are compiled once per instruction set; the program picks one at run time. `judge` is the same
# source in double.
MACHINE  := $(shell $(CC) -dumpmachine)
ifneq (,$(filter x86_64-%,$(MACHINE)))
VARIANTS := portable avx2 avx512 avx512_bf16 judge
else
VARIANTS := portable judge
endif
KERNEL_CFLAGS   := $(COMMON) -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math -fopenmp $(EXTRA_CFLAGS)
KERNEL_portable := -DKERNEL_VARIANT=portable -DKERNEL_REAL=float
KERNEL_avx2     := -DKERNEL_VARIANT=avx2 -DKERNEL_REAL=float -march=x86-64-v3
KERNEL_avx512   := -DKERNEL_VARIANT=avx512 -DKERNEL_REAL=float -march=x86-64-v4
KERNEL_avx512_bf16 := -DKERNEL_VARIANT=avx512_bf16 -DKERNEL_REAL=float -DKERNEL_BF16=1 -march=x86-64-v4 \
                      -mavx512bf16
KERNEL_judge    := -DKERNEL_VARIANT=judge -DKERNEL_REAL=double

# ---- sources: every .c file of these folders ---------------------------------------------------------------

FOLDERS  := base tensor backend nn heads fusion model data train results runner plots cli
SOURCES  := $(sort $(shell find $(FOLDERS) -name '*.c' -not -path 'backend/cuda/*' -not -path 'backend/sim/*'))
HEADERS  := $(sort $(shell find $(FOLDERS) tests bench -name '*.h' -not -path 'backend/cuda/*' -not -path 'backend/sim/*'))
KERNELS  := $(filter backend/cpu/kernels/%,$(SOURCES))
MAIN     := cli/main.c
LIBRARY  := $(filter-out $(KERNELS) $(MAIN),$(SOURCES))
SUPPORT  := $(sort $(wildcard tests/support/*.c))
TEST_C   := $(sort $(shell find tests -name 'test_*.c' -not -path 'tests/support/*'))
TEST_SH  := $(sort $(shell find tests -name 'test_*.sh' -not -path 'tests/support/*'))
# Ratios come first.
BENCH_C  := $(wildcard bench/bench_*.c)
BENCH_C  := $(filter bench/bench_models.c bench/bench_worker.c,$(BENCH_C)) \
            $(sort $(filter-out bench/bench_models.c bench/bench_worker.c,$(BENCH_C)))
BENCH_SUPPORT := $(sort $(filter-out $(BENCH_C),$(wildcard bench/*.c)))

OBJECTS  := $(LIBRARY:%.c=$(BUILD)/%.o) \
            $(foreach v,$(VARIANTS),$(KERNELS:%.c=$(BUILD)/%.$(v).o))
MAIN_O   := $(MAIN:%.c=$(BUILD)/%.o)
SUPPORT_O := $(SUPPORT:%.c=$(BUILD)/%.o)
TEST_O   := $(TEST_C:%.c=$(BUILD)/%.o)
TEST_X   := $(TEST_C:%.c=$(BUILD)/%)
BENCH_O  := $(BENCH_C:%.c=$(BUILD)/%.o)
BENCH_X  := $(BENCH_C:%.c=$(BUILD)/%)
BENCH_SUPPORT_O := $(BENCH_SUPPORT:%.c=$(BUILD)/%.o)
BENCH    ?=
ARCHIVE  := $(BUILD)/libvittm.a

# ---- program -----------------------------------------------------------------------------------------------

.PHONY: all setup test test-run check lint format bench demo install clean FORCE
.SECONDARY:

all: $(BUILD)/vittm
	@ln -sfn $(BUILD)/vittm vittm

$(BUILD)/vittm: $(MAIN_O) $(ARCHIVE)
	@echo "  link $@"
	@$(CC) $(EXTRA_CFLAGS) -o $@ $(MAIN_O) $(ARCHIVE) $(LDLIBS)

# A thin archive: links take only what they need, and nothing is copied. Rebuilt where the list changed.
$(ARCHIVE): $(OBJECTS) $(BUILD)/objects.txt
	@rm -f $@ && ar rcsT $@ $(OBJECTS)

$(BUILD)/objects.txt: FORCE
	@mkdir -p $(@D)
	@echo '$(OBJECTS)' | cmp -s - $@ || echo '$(OBJECTS)' > $@

# Detection lines, once per build folder.
$(BUILD)/detected: tools/detect
	@mkdir -p $(@D)
	@CC='$(CC)' tools/detect $(MACHINE) && touch $@

# Commit, uncommitted changes, compiler and flags: rewritten only where they changed.
$(BUILD)/generated/build_facts.h: FORCE
	@CC='$(CC)' tools/build-facts $@ '$(VERSION)' '$(CFLAGS)' '$(KERNEL_CFLAGS)'

$(BUILD)/base/version.o: $(BUILD)/generated/build_facts.h

# What program and plugins must agree on.
$(BUILD)/generated/plugin_abi.h: FORCE
	@tools/abi $@

$(BUILD)/backend/backend.o $(BUILD)/backend/plugin.o: $(BUILD)/generated/plugin_abi.h

$(BUILD)/backend/cpu/%.o: CFLAGS += -fopenmp

define kernel_rule
$$(BUILD)/backend/cpu/kernels/%.$(1).o: backend/cpu/kernels/%.c | $$(BUILD)/detected
	@mkdir -p $$(@D)
	@echo "  cc   $$< ($(1))"
	@$$(CC) $$(CPPFLAGS) $$(KERNEL_CFLAGS) $$(KERNEL_$(1)) -c -o $$@ $$<
endef
$(foreach v,$(VARIANTS),$(eval $(call kernel_rule,$(v))))

$(BUILD)/%.o: %.c | $(BUILD)/detected
	@mkdir -p $(@D)
	@echo "  cc   $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# ---- tests, benchmarks -------------------------------------------------------------------------------------

$(TEST_X): $(BUILD)/%: $(BUILD)/%.o $(SUPPORT_O) $(ARCHIVE)
	@echo "  link $@"
	@$(CC) $(EXTRA_CFLAGS) -o $@ $< $(SUPPORT_O) $(ARCHIVE) -lcmocka $(LDLIBS)

$(BUILD)/bench/%.o: CFLAGS += -fopenmp

$(BENCH_X): $(BUILD)/%: $(BUILD)/%.o $(BENCH_SUPPORT_O) $(ARCHIVE)
	@echo "  link $@"
	@$(CC) $(EXTRA_CFLAGS) -o $@ $< $(BENCH_SUPPORT_O) $(ARCHIVE) $(LDLIBS)

setup:
	@tools/setup

# Set-up comes before the rest is even read, so that detection sees what it installed.
test: setup
	@+$(MAKE) test-run

test-run: all $(TEST_X)
	@BUILD='$(BUILD)' tools/run-tests '$(TESTS)' $(TEST_X) $(TEST_SH)

# Warnings are fatal in the release build; sanitizers add false ones about lengths.
check: setup
	@+$(MAKE) BUILD=build/check EXTRA_CFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=undefined \
	    -fno-omit-frame-pointer -DVITTM_SANITIZED=1 -Wno-error' check-run

.PHONY: check-run
check-run: $(BUILD)/vittm $(TEST_X)
	@BUILD='$(BUILD)' ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1 \
	    UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=suppressions=tools/lsan.supp:print_suppressions=0 \
	    tools/run-tests '$(TESTS)' $(TEST_X) $(TEST_SH)

bench: all $(BENCH_X)
	@tools/bench '$(BENCH)' $(BENCH_X)

# ---- lint --------------------------------------------------------------------------------------------------

LINT_C := $(SOURCES) $(SUPPORT) $(TEST_C) $(BENCH_C) $(BENCH_SUPPORT)

lint:
	@tools/setup lint
	@+$(MAKE) lint-layers lint-forbidden lint-format lint-headers

.PHONY: lint-layers lint-forbidden lint-format lint-headers
lint-layers:
	@tools/lint-layers $(SOURCES) $(HEADERS)

lint-forbidden:
	@tools/lint-forbidden $(SOURCES) $(HEADERS)

lint-format:
	@clang-format --dry-run -Werror $(LINT_C) $(HEADERS) && echo "format: $(words $(LINT_C) $(HEADERS)) files"

lint-headers: $(BUILD)/generated/build_facts.h $(BUILD)/generated/plugin_abi.h
	@for h in $(HEADERS); do \
	    $(CC) $(CPPFLAGS) $(KERNEL_portable) -std=c11 $(WARNINGS) -Wno-unused -fsyntax-only -include stddef.h \
	        -x c $$h || exit 1; \
	done; echo "headers: $(words $(HEADERS)) compile alone"

format:
	@clang-format -i $(LINT_C) $(HEADERS)

# ---- demo, install, clean ----------------------------------------------------------------------------------

demo: setup
	@+$(MAKE) all
	@tools/demo

SHARE := $(DESTDIR)$(PREFIX)/share
install: all
	install -Dm755 $(BUILD)/vittm $(DESTDIR)$(PREFIX)/bin/vittm
	mkdir -p $(SHARE)/vittm/results
	cp -R experiments $(SHARE)/vittm/
	if [ -d results/published ]; then cp -R results/published $(SHARE)/vittm/results/; fi
	mkdir -p $(SHARE)/man/man1 $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions \
	    $(SHARE)/fish/vendor_completions.d
	$(BUILD)/vittm help --man $(SHARE)/man/man1
	$(BUILD)/vittm completion bash > $(SHARE)/bash-completion/completions/vittm
	$(BUILD)/vittm completion zsh > $(SHARE)/zsh/site-functions/_vittm
	$(BUILD)/vittm completion fish > $(SHARE)/fish/vendor_completions.d/vittm.fish

clean:
	rm -rf build vittm

-include $(OBJECTS:.o=.d) $(MAIN_O:.o=.d) $(SUPPORT_O:.o=.d) $(TEST_O:.o=.d) $(BENCH_O:.o=.d) $(BENCH_SUPPORT_O:.o=.d)

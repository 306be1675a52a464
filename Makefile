# The one entry point, for people and for CI. `make` lists what there is.
SHELL := /bin/bash
JOBS ?= $(shell nproc)
BUILD ?= build
CONF ?= conf/kiwi.conf
CTEST = ctest --output-on-failure --no-tests=error -j$(JOBS)
CONFIGURE = cmake -S . -G Ninja

.DEFAULT_GOAL := help
.PHONY: help deps build run test check fmt asan tsan bench bench-cluster bench-runtime fuzz tcl sim sim-mutants crash chaos cluster clients coverage clean

help: ## this list
	@echo "make <target>:"
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## install the Debian packages that are missing (needs root only then)
	@deps/install.sh

$(BUILD)/build.ninja: | deps
	@$(CONFIGURE) -B $(BUILD)

build: deps $(BUILD)/build.ninja ## build the server and all tests into build/
	@ninja -C $(BUILD) -j$(JOBS)

run: deps $(BUILD)/build.ninja ## build and start the server in the foreground (CONF=conf/kiwi.conf ARGS=…)
	@ninja -C $(BUILD) -j$(JOBS) kiwi-server
	@exec $(BUILD)/src/kiwi-server $(CONF) $(ARGS)

test: build ## build and run all tests (ONLY=regex for some)
	@cd $(BUILD) && $(CTEST) $(if $(ONLY),-R $(ONLY))

check: deps ## format, lint, layers, self-contained headers, clang's thread-safety
	@utils/check.py --build $(BUILD) --jobs $(JOBS)

fmt: ## format all C++ files in place
	@git ls-files -co --exclude-standard '*.cc' '*.h' | xargs clang-format -i

asan: deps ## all tests under AddressSanitizer and UBSan, with debug checks (ONLY=regex for some)
	@$(CONFIGURE) -B build-asan -DCMAKE_BUILD_TYPE=Debug -DKIWI_SANITIZE=address
	@ninja -C build-asan -j$(JOBS)
	@cd build-asan && ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  $(CTEST) $(if $(ONLY),-R $(ONLY))

tsan: deps ## all tests under ThreadSanitizer, with debug checks (ONLY=regex for some)
	@$(CONFIGURE) -B build-tsan -DCMAKE_BUILD_TYPE=Debug -DKIWI_SANITIZE=thread
	@ninja -C build-tsan -j$(JOBS)
	@cd build-tsan && TSAN_OPTIONS="halt_on_error=1 suppressions=$(CURDIR)/utils/tsan.supp" \
	  $(CTEST) $(if $(ONLY),-R $(ONLY))

bench: deps $(BUILD)/build.ninja ## measure against redis-server, write docs/performance.md (ARGS="--quick --only get")
	@ninja -C $(BUILD) -j$(JOBS) kiwi-server mixed_pipeline
	@tests/bench/run.py --kiwi-binary $(BUILD)/src/kiwi-server --mixed-client $(BUILD)/tests/bench/mixed_pipeline $(ARGS)

bench-cluster: deps $(BUILD)/build.ninja ## three nodes beside etcd and redis-server with WAIT, write docs/performance.md (ARGS=--quick)
	@deps/install.sh bench_packages.txt
	@ninja -C $(BUILD) -j$(JOBS) kiwi-server cluster_load
	@tests/bench/cluster.py --kiwi-binary $(BUILD)/src/kiwi-server --load-client $(BUILD)/tests/bench/cluster_load $(ARGS)

bench-runtime: deps $(BUILD)/build.ninja ## priorities, elastic pools, ten thousand connections; write docs/performance.md (ARGS="--quick --only steps")
	@deps/install.sh bench_packages.txt
	@ninja -C $(BUILD) -j$(JOBS) kiwi-server kiwi-server-plain-queue runtime_load priority_channel_bench metrics_bench
	@tests/bench/runtime.py --build $(BUILD) $(ARGS)

fuzz: deps ## fuzz each decoder of outside bytes for SECONDS_EACH (default 60)
	@$(CONFIGURE) -B build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Debug -DKIWI_SANITIZE=fuzzer
	@ninja -C build-fuzz -j$(JOBS) fuzzers
	@utils/fuzz.py --build build-fuzz --seconds $(or $(SECONDS_EACH),60)

tcl: deps $(BUILD)/build.ninja ## Redis 7.0's own test suite against Kiwi (UNIT=unit/type/string for one file)
	@ninja -C $(BUILD) -j$(JOBS) kiwi-server
	@tcl-compat/run.py --kiwi-binary $(BUILD)/src/kiwi-server $(if $(UNIT),--unit $(UNIT)) $(ARGS)

sim: deps $(BUILD)/build.ninja ## the deterministic Raft simulator (SEEDS=10000, or SEED=7 TRACE=1 for one; EVENTS=5000)
	@ninja -C $(BUILD) -j$(JOBS) kiwi-sim
	@$(BUILD)/tests/sim/kiwi-sim $(or $(ARGS),$(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),10000) --report) \
	  --events $(or $(EVENTS),5000) $(if $(TRACE),--trace))

sim-mutants: deps $(BUILD)/build.ninja ## break the Raft core in known ways: the simulator must notice each
	@ninja -C $(BUILD) -j$(JOBS) kiwi-sim-mutants
	@$(BUILD)/tests/sim/kiwi-sim-mutants $(ARGS)

crash: deps $(BUILD)/build.ninja ## kill -9 under load and within snapshots, again and again: nothing acknowledged is lost
	@ninja -C $(BUILD) -j$(JOBS) kiwi-server
	@tests/integration/crash_test.py --server $(BUILD)/src/kiwi-server --backend rocksdb --kills 50
	@tests/integration/crash_test.py --server $(BUILD)/src/kiwi-server --backend leveldb --kills 10
	@tests/integration/crash_test.py --server $(BUILD)/src/kiwi-server --backend rocksdb --kills 50 --file-layer
	@tests/integration/crash_test.py --server $(BUILD)/src/kiwi-server --backend leveldb --kills 10 --file-layer
	@tests/integration/crash_test.py --server $(BUILD)/src/kiwi-server --kills 10 --file-layer --lie-about .log
	@tests/integration/snapshot_crash_test.py --server $(BUILD)/src/kiwi-server --backend rocksdb --kills 80
	@tests/integration/snapshot_crash_test.py --server $(BUILD)/src/kiwi-server --backend leveldb --kills 24

cluster: deps $(BUILD)/build.ninja ## build and start three nodes on loopback, ports 7001 to 7003, until Ctrl-C (DIR=kiwi-cluster PORTS=a,b,c)
	@ninja -C $(BUILD) -j$(JOBS) kiwi-server kiwi-ctl
	@exec $(BUILD)/src/kiwi-ctl cluster create --dir $(or $(DIR),kiwi-cluster) $(if $(PORTS),--ports $(PORTS)) $(if $(ARGS),-- $(ARGS))

chaos: deps $(BUILD)/build.ninja ## real servers, clients and faults, all results judged (SECONDS=600 SEED=7 NODES=5 ARGS=--readindex)
	@ninja -C $(BUILD) -j$(JOBS) kiwi-server linearize
	@tests/chaos/chaos.py --server $(BUILD)/src/kiwi-server --linearize $(BUILD)/tests/chaos/linearize \
	  --seconds $(or $(SECONDS),60) --nodes $(or $(NODES),3) $(if $(SEED),--seed $(SEED)) $(ARGS)

clients: deps $(BUILD)/build.ninja ## clients from npm (ioredis, node-redis) through failovers (SECONDS=12 ARGS=ioredis-cluster)
	@ninja -C $(BUILD) -j$(JOBS) kiwi-server
	@tests/clients/clients_test.py --server $(BUILD)/src/kiwi-server --folder $(BUILD)/clients \
	  --seconds $(or $(SECONDS),12) $(ARGS)

coverage: deps ## line and branch coverage of src/ by the unit tests and a bounded simulation (ONLY=raft/core for one folder)
	@$(CONFIGURE) -B build-coverage -DCMAKE_BUILD_TYPE=Debug -DKIWI_SANITIZE=coverage
	@ninja -C build-coverage -j$(JOBS) $(if $(ONLY),unit_$(subst /,_,$(ONLY)) $(if $(filter raft/core,$(ONLY)),kiwi-sim))
	@find build-coverage -name '*.gcda' -delete
	@cd build-coverage && $(CTEST) -L unit $(if $(ONLY),-R '^unit_$(subst /,_,$(ONLY))$$')
	@$(if $(filter-out raft/core,$(ONLY)),,build-coverage/tests/sim/kiwi-sim --seeds 200 --events 5000)
	@utils/coverage.py --build build-coverage --lines-min src/raft/core/=95 \
	  $(if $(ONLY),--only src/$(ONLY)/ --files --missing)

clean: ## remove everything that was built
	@rm -rf build build-asan build-tsan build-fuzz build-coverage

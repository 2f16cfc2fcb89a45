# make test needs Go alone. make ci is what .ci/run runs; it needs what scripts/ci-install.sh installs.
GO ?= go
TOOL = $(GO) tool -modfile=tools/go.mod
FUZZTIME ?= 20s
KILLS ?= 10
TORTURE_TIME ?= 20m
export TRACKMESH_TEST_CACHE ?= $(HOME)/.cache/trackmesh

.PHONY: test race race-kafka bench bench-once fuzz lint proto check-generated tidy web web-check real crash e2e ci build deploy-check cluster torture figures

build: ## the two programs, in the current folder
	$(GO) build -o trackmesh ./cmd/node
	$(GO) build -o trackctl ./cmd/trackctl

cluster: build ## an in-memory Kafka and three nodes on this machine, until Ctrl-C
	./trackctl dev cluster

torture: ## random faults on a real cluster for TORTURE_TIME, record by record; SEED repeats a run. Needs root on Linux
	SEED=$(SEED) TORTURE_TIME=$(TORTURE_TIME) $(GO) test -tags real -count=1 -timeout 3h -v -run TestTorture ./test/cluster

figures: ## how long vehicles cannot be asked for when nodes die and move, as docs/benchmarks.md quotes it
	FIGURES_RUNS=10 $(GO) test -tags real -count=1 -timeout 1h -v -run TestFigures ./test/cluster

test: ## every test that needs neither a C compiler nor a server
	CGO_ENABLED=0 $(GO) test -shuffle=on ./...

race: ## the same with the race detector; protoactor's remote sets gRPC's logger at each start, which only tests do twice
	GORACE="suppressions=$(CURDIR)/scripts/race-suppressions.txt" $(GO) test -race -shuffle=on $$($(GO) list ./... | grep -v /broker/kafka$$)

race-kafka: ## the Kafka log by itself: under the race detector the in-memory Kafka of its tests now and then loses the order of a batch
	$(GO) test -race -shuffle=on ./broker/kafka

bench: ## all benchmarks, as docs/benchmarks.md quotes them
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-once: ## each benchmark runs, once
	$(GO) test -short -run '^$$' -bench . -benchtime 1x ./...

fuzz: ## each fuzz target for FUZZTIME
	GO="$(GO)" FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

lint: ## formatting, lint, layering
	$(TOOL) golangci-lint fmt --diff
	$(TOOL) golangci-lint run ./...

proto: ## code from messages/*.proto
	$(TOOL) buf lint
	$(TOOL) buf generate

check-generated: proto
	git diff --exit-code -- messages

tidy: ## go.mod and go.sum say what is used
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff
	cd tools/deploycheck && $(GO) mod tidy -diff

web: ## build web/dist
	cd web && npm ci --no-audit --no-fund && npm run build

web-check: web ## what is committed under web/dist is what the sources build
	cd web && npm test
	git diff --exit-code -- web/dist
	test -z "$$(git status --porcelain -- web/dist)"

real: ## against a real Kafka and a real Elasticsearch
	$(GO) test -tags real -timeout 25m -p 1 -shuffle=on ./broker/... ./sinks/... ./test/real/...

crash: ## kill -9 of real processes under load, record by record; KILLS a broker
	KILLS=$(KILLS) $(GO) test -tags real -timeout 25m -v ./test/crash/...

e2e: ## the map in a real browser
	cd web && npm ci --no-audit --no-fund
	cd test/e2e && npm ci --no-audit --no-fund && npm run e2e

deploy-check: ## deploy/ with the parsers of Marathon, Compose, BuildKit and Prometheus
	cd tools/deploycheck && $(GO) vet ./... && $(GO) test -count=1 ./... && $(GO) run .

ci: ## everything that .ci/run checks
	scripts/ci.sh

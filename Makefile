# caro-node: `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BIN     := bin/caro-node
RACEBIN := bin/caro-node-race
LABBIN  := bin/caro-node-lab
LDFLAGS := -s -w -X main.version=$(VERSION)
# The race detector needs a C compiler; without one the tests run, and say so.
RACE    := $(shell command -v $${CC:-gcc} >/dev/null 2>&1 && echo -race)
TOOL    := go tool -modfile=tools/go.mod
PAGE    := api/dashboard
SOURCES := $(shell git ls-files -co --exclude-standard '*.go' '*.sql' '*.sh' '*.bash' '*.zsh' '*.fish' '*.tmpl' 2>/dev/null) go.mod go.sum
PAGE_SOURCES := $(shell find $(PAGE) -path '*/node_modules' -prune -o -path '*/dist' -prune -o -type f -print 2>/dev/null)

.PHONY: help build dashboard run demo lab test check fmt lint unit page-test bench scale damage score clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BIN) ## build bin/caro-node, dashboard included

$(BIN): $(SOURCES) $(PAGE)/dist/index.html
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/caro-node

dashboard: $(PAGE)/dist/index.html ## build the web page

$(PAGE)/node_modules/.stamp: $(PAGE)/package.json $(PAGE)/package-lock.json
	cd $(PAGE) && npm ci --no-audit --no-fund --prefer-offline
	@touch $@

$(PAGE)/dist/index.html: $(PAGE)/node_modules/.stamp $(PAGE_SOURCES)
	cd $(PAGE) && npm run --silent build
	@touch $@

run: $(BIN) ## build and start a node in the foreground
	@$(BIN) run

demo: $(BIN) ## five nodes on loopback that trust each other
	@go build -o bin/demo ./scripts/demo
	@exec bin/demo -bin $(BIN)

test: check page-test unit ## everything: format, vet, lint, unit, contract and end-to-end tests

check: fmt lint ## format, vet and lint

fmt:
	@out=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	  if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	go vet ./...

lint:
	$(TOOL) golangci-lint run ./...

page-test: dashboard ## type check and unit tests of the web page (its browser test is a Go test)
	cd $(PAGE) && npm test

# The nodes of the end-to-end tests run this one, so that the race detector sees them too. It looks at cgo's part as well: no -s -w.
$(RACEBIN): $(SOURCES) $(PAGE)/dist/index.html
	CGO_ENABLED=$(if $(RACE),1,0) go build $(RACE) -trimpath -ldflags '-X main.version=$(VERSION)' -o $@ ./cmd/caro-node

# For the network lab: with the tag lab, the environment can put the node's clock wrong. Its memory is measured: no race detector.
$(LABBIN): $(SOURCES) $(PAGE)/dist/index.html
	CGO_ENABLED=0 go build -trimpath -tags lab -ldflags '$(LDFLAGS)' -o $@ ./cmd/caro-node

lab: $(LABBIN) ## nodes on a network of their own: found, parted, lossy, attacked; prints what was seen (as root)
	@table=$$(mktemp) && CARO_LAB_TABLE=$$table CARO_TEST_LAB_BIN=$(abspath $(LABBIN)) go test -count=1 ./scripts/lab/... ./e2e/lab; \
	  status=$$?; cat $$table; rm -f $$table; exit $$status

# Many tests here start real shells and processes on a machine that is busy with the others. One or two that fail are run
# once more; the first failure stays on screen and in the summary, and is a defect to mend. A data race fails at once.
AGAIN := --rerun-fails=1 --rerun-fails-max-failures=4 --rerun-fails-run-root-test --rerun-fails-abort-on-data-race

# The detector makes SQLite fifteen times slower, and finds nothing in what one goroutine does: most rounds of damage run without it.
unit: $(BIN) $(RACEBIN) $(LABBIN)
	@[ -n "$(RACE)" ] || echo "note: no C compiler found, so the tests run without the race detector" >&2
	$(if $(RACE),CGO_ENABLED=0 go test -trimpath -count=1 -run NeverSilentlyReturnsLess ./store)
	CARO_TEST_BIN=$(abspath $(BIN)) CARO_TEST_RACE_BIN=$(abspath $(RACEBIN)) CARO_TEST_LAB_BIN=$(abspath $(LABBIN)) $(TOOL) gotestsum --format pkgname-and-test-fails --hide-summary=skipped $(AGAIN) --packages ./... -- $(RACE) -timeout 15m

bench: $(BIN) ## figures of docs/performance.md
	go run ./scripts/bench -bin $(BIN)

scale: ## 100, 300 and 1,000 hosts in one process: figures of docs/performance.md
	go run ./scripts/scale

damage: ## flip, cut and overwrite database files 2,000 times: each opens, and what it lost is told
	CARO_TEST_DAMAGE_ROUNDS=2000 go test -count=1 -v -timeout 60m -run NeverSilentlyReturnsLess ./store

score: ## precision and recall of the risk rules
	go run ./scripts/score

clean: ## remove what was built
	rm -rf bin $(PAGE)/node_modules
	find $(PAGE)/dist -mindepth 1 ! -name .gitkeep -delete

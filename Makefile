# What to run. make help lists it; .ci/run runs what must pass.

.DEFAULT_GOAL := help
SHELL := /bin/sh

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT   := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS  := -X matriq/pkg/service.version=$(VERSION) -X matriq/pkg/service.commit=$(COMMIT)
LINTER   := .cache/golangci-lint
FUZZTIME ?= 10s
CHAOS_SEEDS ?= 3
NODES ?= 1
# As deploy/compile builds the edge.
EDGE_TAGS := grpcnotrace,nobadger,nomysql,nopgx

# The programs that have an image.
images = ui otp-gateway register-gateway otp email student enroll matriq edge

# Directories of the modules in go.work.
modules = $$(go list -f '{{.Dir}}' -m)

# Packages of make test: all but those that kill brokers, or deploy, for minutes.
quick = $$(go list work | grep -Ev '^matriq/test/(faults|chaos|security|swarm$$|swarm/lab)')

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## start the seven services in one process, with nothing installed but Go
	go run ./cmd/matriq up

build: ## build every program into bin/
	go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/matriq ./services/*/cmd/*

test: ## run the tests with the race detector, against real servers (installs them on Debian, as root)
	tools/install
	CGO_ENABLED=1 TESTENV=required go run matriq/pkg/testenv/cmd/servers -- go test -race -count=1 -timeout 25m $(quick)

test-unit: ## run the tests that need no server
	TESTENV=off go test $(quick)

test-security: ## attack the system from outside: codes, limits, sessions, pages, secrets, mail
	tools/install
	TESTENV=required go run matriq/pkg/testenv/cmd/servers -- go test -count=1 -timeout 20m matriq/test/security/...

test-faults: ## kill, cut and block what the services rely on, for minutes; CHAOS_SEEDS (3) says how often
	tools/install
	TESTENV=required go test -count=1 -timeout 20m matriq/test/faults/...
	TESTENV=required CHAOS_SEEDS=$(CHAOS_SEEDS) go test -count=1 -timeout 60m -v matriq/test/chaos/...

test-swarm: ## deploy on a real Docker Swarm and do to it what may happen; NODES (1) or 3, SWARM=Exercises or Operations alone
	tools/install swarm
	NODES=$(NODES) go test -count=1 -timeout 60m -p 1 -v -run '$(SWARM)' matriq/test/swarm/lab matriq/test/swarm

bench: ## measure against the bare limit on this machine; ARGS="--rows rpc,cast", see docs/bench.md
	tools/install
	go run matriq/bench $(ARGS)

bench-report: ## make bin/bench.html of what make bench has measured
	@mkdir -p bin
	go run matriq/bench/cmd/report > bin/bench.html
	@echo bin/bench.html

test-edge: ## start the edge with its Caddyfile before replicas that come, go and fail
	cd deploy/edge && GOWORK=off go test -count=1 -timeout 10m -tags $(EDGE_TAGS) ./...

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@grep -rHoE --include='*_test.go' '^func Fuzz\w+' bench cmd pkg services test | while IFS=: read -r file func; do \
		echo "$$file $${func#func }"; \
		go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "./$$(dirname "$$file")" || exit 1; \
	done

lint: fmt-check tidy-check $(LINTER) ## check form, modules and code
	$(LINTER) run $$(go list -f '{{.Dir}}/...' -m)
	cd deploy/edge && GOWORK=off ../../$(LINTER) run --build-tags $(EDGE_TAGS) ./...
	cd tools/supply && GOWORK=off ../../$(LINTER) run ./...

fmt: $(LINTER) ## write the code in the one form
	$(LINTER) fmt $(modules)

fmt-check:
	@unformed=$$(gofmt -l bench cmd deploy pkg services test tools); \
	test -z "$$unformed" || { echo "make fmt would change:"; echo "$$unformed"; exit 1; }

tidy-check: ## check that each module stands alone: nothing missing, nothing too much
	@failed=; for module in $(modules); do \
		echo "tidy-check $$module"; \
		(cd "$$module" && GOWORK=off go mod tidy -diff && GOWORK=off go build -o /dev/null ./...) || failed="$$failed $$module"; \
	done; test -z "$$failed" || { echo "make tidy mends:$$failed"; exit 1; }
	@for module in deploy/edge tools/supply; do (cd "$$module" && GOWORK=off go mod tidy -diff) || exit 1; done
	@awk '$$1 ~ /^\.\// {print substr($$1, 3)}' go.work | grep -Ev '^(pkg$$|cmd/|services/)' | while read -r module; do \
		grep -qx "!$$module/go.mod" .dockerignore || { echo ".dockerignore must let !$$module/go.mod in: go.work names it"; exit 1; }; \
	done

tidy: ## tidy each module
	@for module in $(modules) deploy/edge tools/supply; do (cd "$$module" && GOWORK=off go mod tidy) || exit 1; done

docs: ## write what the code tells: docs/settings.md, docs/topology.md, Grafana's dashboards
	go test -count=1 matriq/cmd/matriq/settings matriq/cmd/matriq -run "InTheDocs" -update
	go run ./deploy/grafana

licences: ## write docs/licences.md: what the images are made of
	go test -count=1 matriq/test/security -run '^TestSupply$$' -update

sbom: ## write what is in each image into bin/sbom, as CycloneDX
	@mkdir -p bin/sbom/programs
	deploy/compile bin/sbom/programs $(images)
	@for image in $(images); do \
		GOWORK=off go run -C tools/supply . sbom "$(CURDIR)/bin/sbom/programs/$$image" > "bin/sbom/$$image.cdx.json" || exit 1; \
	done

vuln: ## look for dependencies that were taken back, or have known faults where the database can be reached
	@mkdir -p bin/vuln
	deploy/compile bin/vuln $(images)
	cd tools/supply && GOWORK=off go run . withdrawn $(addprefix $(CURDIR)/bin/vuln/,$(images))
	tools/vulncheck

clean: ## remove what was built
	rm -rf bin .cache

$(LINTER): tools/go.mod tools/go.sum
	cd tools && GOWORK=off go build -o ../$(LINTER) github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: help up build bench bench-report test test-edge test-unit test-faults test-security test-swarm fuzz lint fmt fmt-check tidy-check tidy docs licences sbom vuln clean

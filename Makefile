# make help lists the targets: each line of the form "target: ## what it does".
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help diagrams build parts demo demo-image check fmt vet lint modules vuln test e2e fuzz soak bench bench-demo bin/demo tidy clean install

PROGRAMS := config prepare run cleanup gate registry endpoint credential handover sweep revoke rolecall rolecall-broker
GO      := CGO_ENABLED=0 go
DRIVER  := $(addprefix bin/,$(PROGRAMS))
PARTS   := $(addprefix bin/test/,gitlab-runner minio s3job)
# Only root can make it; without it, a test that needs it is skipped.
DEBIAN  := $(if $(and $(filter 0,$(shell id -u)),$(shell command -v debootstrap)),bin/test/debian.tar)
JS      := $(if $(and $(shell command -v node),$(shell command -v npm)),bin/test/js/s3.js)
SOURCES := $(shell find cmd internal -name '*.go' ! -name '*_test.go') go.mod go.sum
TESTS   := $(shell find test -name '*.go' -o -name 'go.*' -not -path '*/testdata/*')
PACKAGES = $(shell go list ./... | grep -v -e /test/e2e -e /test/packages)
libexec := /usr/libexec/rolecall
FUZZTIME := 30s
# What STS and S3 are in the demo: own, the project's stand-ins, or minio. Tests always use MinIO.
STS     ?= own
DEMO    := bin/test/gitlab-runner $(addprefix bin/,config prepare run cleanup gate) bin/test/s3job $(if $(filter minio,$(STS)),bin/test/minio)
# $(call timed,WHAT,HOW) builds something, and shows what and how long it took.
timed    = @echo "building $1"; began=$${EPOCHREALTIME//[.,]/}; $2; \
  took=$$((($${EPOCHREALTIME//[.,]/} - began) / 100000)); printf '%5d.%d s  %s\n' $$((took / 10)) $$((took % 10)) "$1"

build: $(DRIVER) ## the programs, in bin/

help: ## this list
	@sed -nE 's/^([a-z][a-z0-9-]*):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

# With graphviz, from apt.
diagrams: $(patsubst %.dot,%.svg,$(wildcard docs/diagrams/*.dot)) ## the pictures of the documents, from docs/diagrams/*.dot

docs/diagrams/%.svg: docs/diagrams/%.dot
	dot -Tsvg $< -o $@

$(DRIVER): bin/%: $(SOURCES)
	$(call timed,$@,$(GO) build -trimpath -ldflags='-s -w' -o $@ ./cmd/$*)

# The parts that the driver is tested against: each is built once.
parts: $(PARTS) bin/test/vault bin/test/cloudjob $(DEBIAN) $(JS) ## what the driver is tested against, in bin/test/

bin/test/gitlab-runner: $(shell find test/runner -type f)
	@echo "GitLab Runner takes about two minutes, once"
	$(call timed,GitLab Runner,cd test/runner && $(GO) build -trimpath -o ../../$@ .)

bin/test/minio: test/minio/go.mod test/minio/go.sum
	@echo "MinIO takes about three minutes, once"
	$(call timed,MinIO,cd test/minio && $(GO) build -trimpath -o ../../$@ github.com/minio/minio)

# Vault has the Business Source License 1.1: a part of the tests, which nobody is given.
bin/test/vault: $(shell find test/vault -type f)
	@echo "Vault takes about three minutes, once"
	$(call timed,Vault,cd test/vault && $(GO) build -trimpath -o ../../$@ .)

bin/test/s3job: $(wildcard test/s3job/*.go) go.mod go.sum
	$(call timed,$@,$(GO) build -trimpath -o $@ ./test/s3job)

# The libraries of Google and Microsoft, as a job uses them.
bin/test/cloudjob: $(wildcard test/cloudjob/*)
	$(call timed,$@,cd test/cloudjob && $(GO) build -trimpath -o ../../$@ .)

# The packages that the README and docs/broker.md ask for, beside those of every Debian with
# systemd. On a host without a network the tests that need it are skipped.
bin/test/debian.tar:
	@echo "fetching Debian 12: about two minutes, once"
	rm -rf bin/test/debian
	mkdir -p bin/test/debian
	if debootstrap --variant=minbase --include=systemd-sysv,dbus,cron,sudo,git,iproute2 bookworm bin/test/debian > bin/test/debian.log; \
	then tar -C bin/test/debian --numeric-owner -cf $@ .; \
	else tail -n 3 bin/test/debian.log; echo "NOT FETCHED: Debian 12"; fi
	rm -rf bin/test/debian bin/test/debian.log

# The AWS SDK for JavaScript, of the versions in the lock file, in one file. Without a network,
# as above.
bin/test/js/s3.js: $(wildcard test/js/*)
	@echo "fetching the AWS SDK for JavaScript: half a minute, once"
	rm -rf bin/test/js
	mkdir -p bin/test/js
	cp test/js/* bin/test/js
	if cd bin/test/js && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error > npm.log; \
	then npm run --silent build -- --outfile=s3.js; \
	else tail -n 3 npm.log; echo "NOT FETCHED: the AWS SDK for JavaScript"; fi
	rm -rf bin/test/js/node_modules

bin/tools/govulncheck: tools/go.mod tools/go.sum
	$(call timed,$@,cd tools && $(GO) build -trimpath -o ../$@ golang.org/x/vuln/cmd/govulncheck)

bin/tools/golangci-lint: tools/go.mod tools/go.sum
	@echo "the linter takes about two minutes, once"
	$(call timed,the linter,cd tools && $(GO) build -trimpath -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint)

demo: ## the main job on this machine, on a real GitLab Runner; with MinIO: make demo STS=minio
	@test/demo/ready '$(STS)'
	@$(MAKE) --no-print-directory $(DEMO) bin/demo
	@bin/demo -sts='$(STS)'

# The same pipeline in an image, in containers of podman. It needs root and the packages that
# the README names.
demo-image: ## the same in an image, in containers of podman
	@test/demo/ready '$(STS)'
	@$(MAKE) --no-print-directory $(DEMO) bin/registry bin/credential bin/demo
	@bin/demo -image -sts='$(STS)'

# Built as the driver is, so that what both have is compiled once.
bin/demo:
	$(call timed,$@,$(GO) build -trimpath -o $@ ./test/demo)

check: build fmt vet lint modules vuln test e2e demo ## every test

fmt: ## whether all code is formatted
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

vet: ## go vet
	go vet ./...

lint: bin/tools/golangci-lint ## the linters
	bin/tools/golangci-lint run ./...

# go.mod and go.sum have what the code needs, and nothing else.
modules: ## whether go.mod and go.sum are tidy
	@go mod tidy -diff || { echo "go.mod or go.sum is not tidy, run: make tidy"; exit 1; }

# No known vulnerability is called.
vuln: bin/tools/govulncheck ## whether known vulnerabilities are called
	@.ci/vulnerabilities bin/tools/govulncheck

# Unit tests, fuzz seeds and scripts of whole programs, with the race detector. It
# ends with the list of the tests that were skipped; with ROLECALL_CI=1 they fail.
test: build parts ## unit tests, fuzz seeds and scripts of whole programs, with the race detector
	go test -json -count=1 -run '^TestMemory$$' ./internal/gate/scan ./internal/gate/inspect | go run ./test/summary
	go test -json -race -count=1 $(PACKAGES) | go run ./test/summary

# The real GitLab Runner, MinIO as STS and S3, and a stand-in for GitLab.
e2e: build parts ## whole jobs on the real runner
	go test -json -count=1 -timeout 25m ./test/e2e | go run ./test/summary

# Every fuzz test for FUZZTIME each. Inputs are hardly made smaller: what a scan covers differs
# from run to run, so most of the time would go into that.
fuzz: ## each fuzz test for FUZZTIME, 30s by default
	@for package in $$(go list ./internal/...); do \
	  for name in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    go test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
	  done; \
	done

# Many jobs of many tenants at once, with cancels and kills.
soak: build parts ## hundreds of jobs at once, with cancels and kills
	@go run ./test/soak
	@if [ "$$(id -u)" = 0 ] && command -v podman > /dev/null; then go run ./test/soak -images -jobs 100 -tenants 6 -concurrent 12; else echo "NOT TESTED, as root with podman: jobs in containers"; fi

# The ratios that the driver must keep, then those of the masker in process. PART=endpoint
# measures only one part: process start, credentials, masking, gate, whole jobs, endpoint, handover, broker, audit log, containers.
bench: build parts ## the ratios that the driver must keep; PART=masking measures one part
	@go run ./test/bench
	@[ -n "$(PART)" ] || go test -run '^$$' -bench . -benchtime 5x ./internal/mask
	@[ -n "$(PART)" ] || go test -run '^$$' -bench . ./internal/tenant ./internal/tenant/policyfile

# Minutes of all processors.
bench-demo: ## what a first make demo takes, beside a cold build of GitLab Runner alone
	@test/demo/bench

tidy:
	go mod tidy
	cd packaging && go mod tidy

# What is given to others.
.PHONY: pages packages verify release-key check-packages packaging-check

# The version that the packages are upgraded to in tests; what it is called does not matter. Its
# records of jobs have the next version.
NEXT := 99.0.0

pages: build ## manual pages, completions and licences, which make install takes along
	cd packaging && go run ./cmd/pages --root ..

packages: ## deb, rpm, archives, an image and their signature, in dist/; KEY=FILE signs with the key of releases
	cd packaging && go run ./cmd/packages --root .. --dist ../dist $(if $(KEY),--key '$(abspath $(KEY))')

DIR := dist
verify: ## check the signature and the sums of a release: make verify DIR=dist
	@cd packaging && go run ./cmd/seal verify --root .. --dir '$(abspath $(DIR))' $(if $(TEST_KEY),--test-key)

release-key: ## make the key of releases, once: the secret half goes to SECRET=FILE, outside of the project
	@cd packaging && go run ./cmd/seal key --root .. $(if $(SECRET),--secret '$(abspath $(SECRET))')

# The packages, in fresh Debians. It needs root, and what bin/test/debian.tar needs.
check-packages: build parts packages packaging-check ## install, upgrade and remove the packages on fresh hosts
	sh packaging/scripts/later bin/later
	cd packaging && VERSION=$(NEXT) go run ./cmd/packages --root ../bin/later --dist ../bin/next --only amd64/deb
	$(MAKE) -s pages
	ROLECALL_DIST=$(CURDIR)/dist ROLECALL_NEXT=$(CURDIR)/bin/next \
	  go test -json -count=1 -timeout 15m ./test/packages | go run ./test/summary

# What makes the packages: a module of its own.
packaging-check: bin/tools/golangci-lint
	cd packaging && go vet ./... && ../bin/tools/golangci-lint run --config ../.golangci.yml ./...
	cd packaging && go test -json -count=1 ./... | (cd .. && go run ./test/summary)

clean: ## remove bin/ and dist/
	rm -rf bin dist

# The packages have the same files at the same places.
install: build ## install without a package; DESTDIR is for another host
	install -d $(DESTDIR)$(libexec) $(DESTDIR)/usr/bin $(DESTDIR)/usr/share/rolecall $(DESTDIR)/usr/lib/systemd/system $(DESTDIR)/usr/lib/tmpfiles.d $(DESTDIR)/etc/rolecall $(DESTDIR)/etc/logrotate.d
	install -d -m 0711 $(DESTDIR)/var/lib/rolecall
	install -m 0755 $(DRIVER) $(DESTDIR)$(libexec)
	ln -sf ../libexec/rolecall/rolecall $(DESTDIR)/usr/bin/rolecall
	ln -sf rolecall $(DESTDIR)$(libexec)/doctor
	install -m 0644 systemd/gitlab-runner.conf rolecall.toml.example runner-config.toml.example $(DESTDIR)/usr/share/rolecall
	install -m 0644 systemd/rolecall-sweep.service systemd/rolecall-sweep.timer systemd/rolecall-revoke.service systemd/run-rolecall.mount systemd/rolecall-broker.service $(DESTDIR)/usr/lib/systemd/system
	if [ -d monitoring ]; then install -d $(DESTDIR)/usr/share/rolecall/monitoring; \
	  install -m 0644 $(filter-out %.test.yml,$(wildcard monitoring/*)) $(DESTDIR)/usr/share/rolecall/monitoring; fi
	install -m 0644 packaging/files/tmpfiles.conf $(DESTDIR)/usr/lib/tmpfiles.d/rolecall.conf
	[ -e $(DESTDIR)/etc/logrotate.d/rolecall ] || install -m 0644 packaging/files/logrotate $(DESTDIR)/etc/logrotate.d/rolecall
	[ -e $(DESTDIR)/etc/logrotate.d/rolecall-broker ] || install -m 0644 packaging/files/logrotate-broker $(DESTDIR)/etc/logrotate.d/rolecall-broker
	for doc in $(DESTDIR)/usr/share/doc/rolecall $(DESTDIR)/usr/share/doc/rolecall-broker; do \
	  install -d $$doc && install -m 0644 LICENSE SECURITY.md packaging/files/copyright $$doc; done
	if [ -d bin/pages ]; then cd bin/pages && find usr -type f -exec install -D -m 0644 {} $(DESTDIR)/{} \;; \
	else echo "without manual pages and completions: make pages makes them"; fi

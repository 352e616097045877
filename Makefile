# The commands of Portcullis, the same by hand and in CI. Plain `make` lists them.

functions := $(patsubst functions/%/main.go,%,$(wildcard functions/*/main.go))
binaries  := $(functions:%=build/%/bootstrap)
golangci  := go tool -modfile=tools/go.mod golangci-lint

# The deployment that the targets below it work on: `make deploy ENV=dev`. samconfig.toml says what they are.
ENV   := prod
STACK := portcullis-$(ENV)

# The commit that is built, which every Run Summary tells. The same for one commit in every clone, whatever tags that has.
# `sam build` works on a copy without .git, so deploy hands it down.
ifndef PORTCULLIS_COMMIT
PORTCULLIS_COMMIT := $(shell git describe --always --abbrev=40 --exclude='*' --dirty 2>/dev/null)
endif

.PHONY: help demo test figures fuzz cover bench simulate mutants smoke witness lint validate build deploy stop start round \
	invoke-external-connections invoke-package-groups invoke-package-origins invoke-proton-connections clean sound have-go have-sam have-aws

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-28s %s\n", $$1, $$2 }' Makefile

demo: have-go ## watch Portcullis work against a small AWS on this machine
	go run ./cmd/demo

# Some packages wait for minutes for what is to go wrong. A busy machine with one core should not come to the ten at which go ends a package.
test: have-go ## run every test
	go test -timeout 30m ./...
	go -C tools test ./...

# The tests that log a figure of the table in docs/reliability.md, as "figure of fault 21: ...".
figured := TestAFloodOfCopiesEndsInOneWrite|TestTheOrderOfEventsDoesNotMatter|TestParseIsBounded|TestTheRateFindsALimitThatNobodyTold|$\
	TestABurstOfServerErrorsLosesNothing|TestWhatIsOnlyForAMomentIsTriedAgain|TestAWriteIsAttemptedOnceAndThenLookedAt|TestNoPlaceToCut|$\
	TestAFloodOfAnswersTakesLittleMemory|TestReadAllEndsInACircleOfAnyLength|TestAListThatChangesWhileItIsReadIsNoReasonToAct|$\
	TestOnlyTheEntriesThatFailedAreSentAgain|TestARaceAtTheMomentOfDeletionIsSaidAndUndone|TestADeletionIsAttemptedOnceAndThenLookedAt|$\
	TestASweepAndManyEventsAtOnce|TestAKillAtAnyPointLeavesNoWriteWithoutItsIntent|TestCredentialsMayEndAtEveryCall|TestSomebodyWhoFightsBackIsCounted

# Equal lines are counted, and the cuts are added up as well.
figures: have-go ## measure the figures of the table in docs/reliability.md anew, and print them in its order; for some minutes
	@mkdir -p build
	@go test -count=1 -v -run '$(figured)' ./functions/... ./shared/... >build/figures.out || { grep -E -A 9 '^ *--- FAIL' build/figures.out; exit 1; }
	@sed -n 's/.*figure of fault \([0-9]*\): /\1 /p' build/figures.out | sort -n -k 1,1 | uniq -c | \
		awk '{ times = $$1; fault = $$2; sub(/^ *[0-9]+ [0-9]+ /, ""); printf "%2d  %5s  %s\n", fault, (times > 1 ? times " x" : ""), $$0 } \
			fault == 21 { cuts += times * $$1 } END { printf "21  in all %d cuts\n", cuts }' | sort -n -s -k 1,1

# Each target for so long, or so often (TIME=1000x). What it finds stays under testdata/fuzz of its package, and make test runs it from then on.
TIME := 1m

fuzz: have-go ## try to break whatever reads what others wrote, each reader for a while (TIME=1m)
	@set -e; for package in $$(grep -rl --include='*_test.go' '^func Fuzz' cmd functions internal shared | xargs -n 1 dirname | sort -u); do \
		for target in $$(go test -list '^Fuzz' ./$$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(TIME) -fuzzminimizetime 1s ./$$package; \
		done; \
	done

decided := ./shared/control ./shared/policy ./shared/trigger $(patsubst %/decide.go,./%,$(wildcard shared/*/decide.go))
comma   := ,
space   := $(subst ,, )

# The profile has a block once for each package whose tests ran; one that ran it is enough. What is printed are the rows
# of the table in docs/reliability.md.
cover: have-go ## print how much of the decisions the tests execute; all of every decide.go is asked for, and that the page says the same
	@mkdir -p build
	@go test -short -coverprofile=build/cover.out -coverpkg=$(subst $(space),$(comma),$(strip $(decided))) $(decided) >build/cover.log || { cat build/cover.log; exit 1; }
	@awk 'NR > 1 { size[$$1] = $$2; runs[$$1] += $$3 } \
		END { for (block in size) { \
			file = block; sub(/^[^\/]*\//, "", file); sub(/:.*/, "", file); folder = file; sub(/\/[^\/]*$$/, "", folder); \
			part = file ~ /decide\.go$$/ ? file : folder ~ /(control|policy|trigger)$$/ ? folder : ""; \
			if (part == "") continue; \
			all[part] += size[block]; if (runs[block]) hit[part] += size[block]; \
			else { if (size[block]) print "not executed: " block >"/dev/stderr"; if (part == file) missed = 1 }} \
		for (part in all) printf "| `%s` | %s %% |\n", part, hit[part] == all[part] ? "100" : sprintf("%.1f", int(1000 * hit[part] / all[part]) / 10); \
		exit missed }' build/cover.out >build/cover.rows || { cat build/cover.rows; exit 1; }
	@sort build/cover.rows
	@! grep -vxFf docs/reliability.md build/cover.rows >/dev/null || { echo "docs/reliability.md says otherwise, under Coverage: put these rows there" >&2; exit 1; }

SEEDS := 10000
simulate: have-go ## play SEEDS hostile schedules and count what came of them, or tell the story of one (SEED=n)
	go test ./internal/simulate -run TestSchedules -count 1 -timeout 0 -v -seeds=$(SEEDS) $(if $(SEED),-seed=$(SEED))

bench: have-go ## measure what docs/performance.md tells, for some minutes, on a machine that does nothing else
	@go run ./cmd/bench

# The modules of Node.js come into a folder that is thrown away; package.json says exactly which.
witness: have-go ## hold the small AWS against the SDK for JavaScript, which npm installs into a temporary folder, and against the AWS CLI if it is there
	@command -v npm >/dev/null || { echo "this needs Node.js with npm. Install it from https://nodejs.org/" >&2; exit 1; }
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cp shared/localaws/testdata/javascript/package.json "$$folder" && \
		npm install --prefix "$$folder" --no-package-lock --ignore-scripts --no-audit --no-fund && \
		PORTCULLIS_JAVASCRIPT="$$folder" go test -count=1 -v -run 'Understand' ./shared/localaws ./shared/localaws/proton

smoke: have-go ## try it in a sandbox account of AWS, and ask there what no document settles (ACCOUNT; CLEANUP=1 removes what a killed run left)
	@test -n "$(ACCOUNT)" || { echo "write make smoke ACCOUNT=111122223333, with the sandbox account of your credentials; docs/fidelity.md says what is done there" >&2; exit 1; }
	go run ./cmd/smoke -yes-this-is-a-sandbox $(ACCOUNT) $(if $(CLEANUP),-cleanup)

mutants: have-go ## break the code that decides, a thousand times, and see that a test fails (docs/mutants.md); for an hour
	go build -modfile=tools/go.mod -o build/gremlins github.com/go-gremlins/gremlins/cmd/gremlins
	go test -count=1 -timeout 60m -run TestEveryRuleIsGuarded ./internal/safetyrules -takeout
	go -C tools run ./mutants -gremlins ../build/gremlins

# The first three checks need nothing but Go, so they come first. Where git does not say what is in the repository, as in a
# tree without .git or in one of another user, all files are looked at.
lint: have-go ## check format, vet, module files and linters
	@unformatted=$$(gofmt -l .) && test -z "$$unformatted" || \
		{ echo "not in gofmt's format (gofmt -w . mends it):" $$unformatted >&2; exit 1; }
	@large=$$(if git rev-parse --git-dir >/dev/null 2>&1; then git ls-files -z | xargs -0 sh -c 'test $$# = 0 || find "$$@" -size +1024k' find; \
		else find . \( -path ./.git -o -path ./build \) -prune -o -type f -size +1024k -print; fi) && test -z "$$large" || \
		{ echo "over 1 MiB, so hardly written by hand (git rm --cached takes it out again):" $$large >&2; exit 1; }
	go vet ./...
	go mod tidy -diff
	@$(golangci) version >/dev/null || \
		{ echo "golangci-lint is missing: the module named in tools/go.mod could not be downloaded or built (reason above)" >&2; exit 1; }
	$(golangci) run

validate: have-go ## check the templates against the code, and with AWS's linters where they are installed
	go test -run Template .
	tools/validate.sh template.yaml
	tools/validate.sh member.yaml

build: $(binaries) build/sbom.cdx.json ## check the policy, build each function for Lambda (Linux, arm64), list what is deployed

# Nothing of this machine goes into a binary, so two builds of one commit are equal byte for byte.
# Go's own cache decides what to compile again; sound makes make ask it every time.
$(binaries): build/%/bootstrap: sound
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -buildvcs=false -tags lambda.norpc \
		-ldflags '-s -w -buildid= -X portcullis/shared/function.build=$(PORTCULLIS_COMMIT)' -o $@ ./functions/$*

build/sbom.cdx.json: $(binaries) policy/policy.yaml
	go -C tools run ./sbom -policy ../policy/policy.yaml $(binaries:%=../%) >$@.new
	mv $@.new $@

# `sam build` asks for one target for each function in template.yaml, and says where the result belongs.
build-ExternalConnectionsOnEvent build-ExternalConnectionsSweep: build/external-connections/bootstrap
	cp $< "$${ARTIFACTS_DIR:?is not set; sam build sets it}"

build-Planner: build/planner/bootstrap
	cp $< "$${ARTIFACTS_DIR:?is not set; sam build sets it}"

build-PackageGroupsSweep: build/package-groups/bootstrap
	cp $< "$${ARTIFACTS_DIR:?is not set; sam build sets it}"

build-PackageOriginsOnEvent build-PackageOriginsSweep: build/package-origins/bootstrap
	cp $< "$${ARTIFACTS_DIR:?is not set; sam build sets it}"

build-ProtonConnectionsOnEvent build-ProtonConnectionsSweep: build/proton-connections/bootstrap
	cp $< "$${ARTIFACTS_DIR:?is not set; sam build sets it}"

deploy: export PORTCULLIS_COMMIT
deploy: have-sam validate build ## put the stack into the account of your credentials (ENV=prod or dev)
	sam build --config-env $(ENV)
	sam deploy --config-env $(ENV)

stop: have-aws ## let no function of the stack run any more; what comes in goes to the failure queue (STACK, or ENV)
	tools/stack.sh stop $(STACK)

start: have-aws ## let them run again; then ask for a round, and empty the failure queue
	tools/stack.sh start $(STACK)

round: have-aws ## ask now for a sweep of everything, in every account (STACK, or ENV)
	tools/stack.sh round $(STACK)

invoke-external-connections: have-aws ## sweep the stack's own account now, and print the summary
	tools/stack.sh sweep $(STACK) ExternalConnectionsSweep

invoke-package-groups: have-aws ## the same for package-groups
	tools/stack.sh sweep $(STACK) PackageGroupsSweep

invoke-package-origins: have-aws ## the same for package-origins
	tools/stack.sh sweep $(STACK) PackageOriginsSweep

invoke-proton-connections: have-aws ## the same for proton-connections
	tools/stack.sh sweep $(STACK) ProtonConnectionsSweep

clean: ## remove what build made
	rm -rf build

# What must be true before anything is built: a policy that the functions take, and modules as go.sum has them.
sound: have-go
	go run ./cmd/portcullis policy check
	go run ./cmd/portcullis policy test
	go mod verify

# go compares itself with the version that go.mod asks for.
have-go:
	@go list -m >/dev/null || \
		{ echo "Portcullis needs Go $$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod) or newer; the line above says what is wrong here. Install it from https://go.dev/dl/" >&2; exit 1; }

have-sam:
	@command -v sam >/dev/null || \
		{ echo "this needs the SAM CLI. Install it from https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/install-sam-cli.html" >&2; exit 1; }

have-aws:
	@command -v aws >/dev/null || \
		{ echo "this needs the AWS CLI. Install it from https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html" >&2; exit 1; }

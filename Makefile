# `make` alone prints the menu. Everything goes into .venv; nothing else on this computer changes, except that
# a root shell in a container or in CI installs the Debian packages that are missing.

HOST ?= 127.0.0.1
PORT ?= 5000
PYTHON = python3
ARGS =
PROGRAM = requests

PY := .venv/bin/python
NEEDS := setup.cfg pyproject.toml
APT := apt-get -o DPkg::Lock::Timeout=300

# A .venv whose Python went (with an upgrade of the system) is made anew.
$(shell [ -x $(PY) ] || rm -f .venv/ready-to-*)

.NOTPARALLEL:
.PHONY: help run test lint types layers check format benchmark docs screenshots translations clean

help:
	@echo 'make run        start the site at http://$(HOST):$(PORT)  (make run PORT=8000, HOST=0.0.0.0)'
	@echo 'make test       run the tests                          (make test ARGS="-k login")'
	@echo 'make check      lint, types and layers'
	@echo 'make lint       look for mistakes and untidy code      (ruff)'
	@echo 'make types      check the types                        (mypy)'
	@echo 'make layers     check that imports run down only       (import-linter)'
	@echo 'make format     tidy the code'
	@echo 'make benchmark  measure a request                      (make benchmark PROGRAM=scale ARGS=--json)'
	@echo 'make docs       make a site of the manual              (docs/_build/index.html)'
	@echo 'make screenshots  take the pictures of the README again'
	@echo 'make translations  bring the languages up to the code     (make translations ARGS=fr begins French)'
	@echo 'make clean      remove .venv and what was built; your data in instance/ stays'
	@echo
	@echo 'Another Python than python3: make run PYTHON=python3.12'

run: .venv/ready-to-run
	@exec $(PY) manage.py run --host $(HOST) --port $(PORT)

test: .venv/ready-to-test .venv/ready-to-log-in
	@$(servers)
	@seed=$$($(PY) -c 'import random; print(random.randrange(10**6))'); \
	$(PY) -m pytest $(if $(findstring randomly,$(ARGS)),,--randomly-seed=$$seed) $(ARGS) || { \
	    code=$$?; \
	    $(if $(findstring randomly,$(ARGS)),,echo "To repeat this order: make test ARGS=--randomly-seed=$$seed";) \
	    case "$$CI:$$code" in true:1|1:1) ;; *) exit $$code;; esac; \
	    echo 'Once more those that failed, with nothing beside them:'; \
	    $(PY) -m pytest $(ARGS) -n 0 --maxfail=1 --last-failed --last-failed-no-failures=none; \
	}

check: lint types layers

lint: .venv/ready-to-check
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: .venv/ready-to-check
	$(PY) -m mypy

layers: .venv/ready-to-check
	$(PY) .venv/bin/lint-imports --no-logo

format: .venv/ready-to-check
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

benchmark: .venv/ready-to-test
	@$(PY) benchmarks/$(PROGRAM).py $(ARGS)

docs: .venv/ready-to-document
	@rm -rf docs/_build
	@$(PY) -m docs.tables
	@$(PY) -m sphinx --quiet --nitpicky --fail-on-warning --keep-going docs docs/_build
	@! grep -rE --include='*.html' --include='*.css' '(src=|<link[^>]* href=|url\()["'"'"']?(https?:)?//' docs/_build # no other host
	@echo 'The manual is in docs/_build/index.html'

screenshots: .venv/ready-to-test
	@$(servers)
	@$(PY) -m docs.screenshots
	@$(PY) -m docs.console_screenshots

translations: .venv/ready-to-test
	@$(PY) -m docs.translations $(ARGS)

clean:
	rm -rf .venv build dist htmlcov docs/_build .coverage .coverage.* *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis test-results
	find . \( -path ./.git -o -path ./instance \) -prune -o -type d -name __pycache__ -exec rm -rf {} +

# What must be installed before what. Each stamp lies in .venv, so it goes when .venv goes.

.venv/ready-to-run: $(NEEDS) | $(PY)
	@echo 'Installing what the site needs into .venv: this takes about half a minute, once.'
	@$(call install,.)
	@touch $@

.venv/ready-to-test: $(NEEDS) | $(PY)
	@echo 'Installing what the tests need into .venv: this takes about a minute, once.'
	@$(call install,.[test])
	@touch .venv/ready-to-run $@

# An OpenID Connect provider from npm; Node.js is among what pip brought.
.venv/ready-to-log-in: tests/real_provider/package.json | .venv/ready-to-test
	@echo 'Installing an OpenID Connect provider for the tests: this takes some seconds, once.'
	@mkdir -p .venv/real_provider && cp $< .venv/real_provider
	@if PATH="$(CURDIR)/.venv/bin:$$PATH" npm install --prefix .venv/real_provider --silent \
	    --no-package-lock --ignore-scripts --no-audit --no-fund; then touch $@; \
	else \
	    echo 'It could not be installed: the tests that log in there will be skipped.' >&2; \
	    case "$$CI" in true|1) exit 1;; esac; \
	fi

.venv/ready-to-document: $(NEEDS) | $(PY)
	@echo 'Installing what the manual needs into .venv: this takes about half a minute, once.'
	@$(call install,.[docs])
	@touch .venv/ready-to-run $@

.venv/ready-to-check: $(NEEDS) | $(PY)
	@echo 'Installing what the checks need into .venv: this takes about a minute, once.'
	@$(call install,.[dev])
	@touch .venv/ready-to-run .venv/ready-to-test .venv/ready-to-document $@

install = $(PY) -m pip install --quiet --disable-pip-version-check --editable '$(1)'

# The default python3 may be missing or old where a newer one stands beside it.
$(PY):
	@$(disposable); \
	for python in $(PYTHON) $(if $(filter file,$(origin PYTHON)),python3.14 python3.13 python3.12 python3.11); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	    python=; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'This needs Python 3.11 or newer, and $(PYTHON) is' \
	        "$$("$(PYTHON)" -c 'import sys; print(sys.version.split()[0])' 2>/dev/null || echo 'not there')." \
	        'If another one is installed, name it: make run PYTHON=/path/to/python3.12' >&2; \
	    exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	    if disposable; then \
	        echo "Installing $$package: this takes some seconds, once."; \
	        apt_install "$$package" || exit 1; \
	    else \
	        echo 'This Python cannot make virtual environments yet. Install what it lacks:' >&2; \
	        echo "    $${sudo:+sudo }apt-get install $$package" >&2; \
	        exit 1; \
	    fi; \
	fi; \
	"$$python" -m venv --clear .venv

# `disposable`: may this computer be given packages unasked? `apt_install`: give it some.
define disposable
[ "$$(id -u)" = 0 ] && sudo= || sudo=sudo; \
disposable() { \
    command -v apt-get >/dev/null || return 1; \
    case "$$CI" in true|1) return 0;; esac; \
    [ -z "$$sudo" ] || return 1; \
    [ -e /.dockerenv ] || [ -e /run/.containerenv ] || [ -n "$$container$$IS_SANDBOX" ] \
        || grep -qsE 'docker|containerd|kubepods|libpod|lxc' /proc/1/cgroup; \
}; \
apt_install() { \
    $${sudo:+sudo -n} $(APT) -qq update \
        && $${sudo:+sudo -n} env DEBIAN_FRONTEND=noninteractive \
            $(APT) -qq -y --no-install-recommends install "$$@" >/dev/null; \
}
endef

# What the tests start: Chromium (with fonts, and a library of Playwright's own driver that a small Debian lacks),
# PostgreSQL, MariaDB, Redis and memcached.
SERVERS := chromium fonts-dejavu-core libatomic1 postgresql mariadb-server redis-server memcached

define servers
$(disposable); \
missing() { \
    ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null \
        || ! .venv/lib/python3*/site-packages/playwright/driver/node --version >/dev/null 2>&1 \
        || ! { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 \
        || ! PATH="$$PATH:/usr/sbin" command -v mariadbd >/dev/null \
        || ! { command -v redis-server && command -v memcached; } >/dev/null; \
}; \
if missing; then \
    if disposable; then \
        echo 'Installing Chromium, PostgreSQL, MariaDB, Redis and memcached for the tests: about a minute, once.'; \
        apt_install $(SERVERS) || { \
            echo 'They could not be installed.' >&2; \
            case "$$CI" in true|1) exit 1;; esac; \
        }; \
    else \
        echo 'Some tests will be skipped: they need Chromium, PostgreSQL, MariaDB, Redis or memcached. To install them:'; \
        echo "    $${sudo:+sudo }apt-get install --no-install-recommends $(SERVERS)"; \
    fi; \
fi
endef

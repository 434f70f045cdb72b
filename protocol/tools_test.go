package protocol

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPublicToolsAreInByteOrderAndOnce(t *testing.T) {
	for i := 1; i < len(publicTools); i++ {
		if publicTools[i-1] >= publicTools[i] {
			t.Errorf("%q stands before %q: the binary search would miss one of them", publicTools[i-1], publicTools[i])
		}
	}
	for _, tool := range publicTools {
		if !IsPublicTool(tool) {
			t.Errorf("%q is in the list and not found", tool)
		}
	}
}

func TestPublicToolsAreCommandNames(t *testing.T) {
	shape := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,31}$`)
	for _, tool := range publicTools {
		if !shape.MatchString(tool) {
			t.Errorf("%q is not the name of a command", tool)
		}
	}
	// Names that many people give to scripts of their own, and words that are not commands.
	for _, private := range strings.Fields(`build deploy run start stop test tests release backup sync update install setup
		main script migrate seed serve check clean dev prod staging sdk unittest makefile todo notes a x foo tmp`) {
		if IsPublicTool(private) {
			t.Errorf("%q could be anybody's own script", private)
		}
	}
}

// What developers type most, by field. A miss here would hide a team's main tool behind "other".
func TestPublicToolsCoverWhatDevelopersUse(t *testing.T) {
	for field, tools := range map[string]string{
		"languages":  "python python3 node deno bun ruby go gofmt rustc rustup java javac kotlin scala swift swiftc dotnet php perl lua luajit elixir iex erl ghc stack cabal ocaml dart flutter zig nim crystal julia R Rscript octave racket clojure lein gcc g++ clang clang++",
		"building":   "make cmake ninja meson bazel gradle mvn ant sbt mix rake just task scons autoconf pkg-config protoc",
		"python":     "pip pip3 pipx pipenv poetry pdm uv uvx conda mamba virtualenv pyenv tox nox pytest mypy pyright black isort flake8 pylint ruff pre-commit jupyter ipython uvicorn gunicorn alembic",
		"javascript": "yarn pnpm nvm fnm volta vite vitest webpack rollup esbuild tsc tsx ts-node eslint prettier biome jest mocha cypress playwright storybook nodemon pm2 turbo nx lerna wrangler vercel netlify firebase",
		"go":         "golangci-lint gopls staticcheck dlv goreleaser govulncheck buf grpcurl sqlc",
		"cloud":      "aws az gcloud gsutil doctl heroku fly flyctl oci ibmcloud eksctl sam serverless cdk",
		"delivery":   "terraform terragrunt tofu tflint pulumi packer vagrant ansible ansible-playbook ansible-vault salt puppet nomad consul vault argocd flux skaffold tilt istioctl helmfile etcdctl trivy grype syft cosign skopeo buildah podman act gh glab circleci",
		"data":       "psql pg_dump pg_restore mysql mysqldump mongosh redis-cli sqlite3 duckdb dbt airflow spark-submit kcat kafka-topics cockroach influx",
		"shells":     "bash zsh fish sh dash nu pwsh tmux screen zellij direnv starship zoxide fzf",
		"text":       "awk sed jq yq rg fd ack bat tr sort uniq cut xargs tee diff xxd pandoc ffmpeg magick",
		"quality":    "shellcheck shfmt hadolint yamllint actionlint semgrep gitleaks trufflehog snyk sonar-scanner strace perf gdb lldb valgrind hyperfine k6 wrk",
		"secrets":    "openssl gpg age sops pass op mkcert",
		"mobile":     "adb fastlane pod xcodebuild xcrun expo",
		"assistants": "claude codex aider gemini ollama",
		"ours":       "caro caro-node",
	} {
		for _, tool := range strings.Fields(tools) {
			if !IsPublicTool(tool) {
				t.Errorf("%s: %q is missing", field, tool)
			}
		}
	}
	if len(publicTools) < 700 {
		t.Errorf("%d public tools; names are never removed, see publicTools", len(publicTools))
	}
}

func TestEveryCategoryFitsIntoOneSummary(t *testing.T) {
	if n := len(Categories()) + len(publicTools); n > MaxCategories {
		t.Errorf("%d categories exist, a message holds %d: raise MaxCategories together with its arithmetic", n, MaxCategories)
	}
}

// allCategories returns every category that exists, in the order of the wire.
func allCategories() []CommandCategory {
	all := Categories()
	for _, tool := range publicTools {
		all = append(all, OtherCategory(tool))
	}
	slices.Sort(all)
	return all
}

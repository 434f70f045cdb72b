package protocol

import (
	"fmt"
	"slices"
	"strings"
)

// CommandCategory groups commands by what they work on: one of the ten named categories, or
// "other:<tool>" where <tool> is on the list of public tool names, or plain "other".
type CommandCategory string

// The named categories.
const (
	CategoryGit        CommandCategory = "git"
	CategoryDocker     CommandCategory = "docker"
	CategoryKubernetes CommandCategory = "kubernetes"
	CategoryNPM        CommandCategory = "npm"
	CategoryCargo      CommandCategory = "cargo"
	CategoryFileOps    CommandCategory = "file_ops"
	CategoryNetwork    CommandCategory = "network"
	CategorySystem     CommandCategory = "system"
	CategoryEditor     CommandCategory = "editor"
	CategoryOther      CommandCategory = "other"
)

const otherPrefix = "other:"

// Categories lists the named categories.
func Categories() []CommandCategory {
	return []CommandCategory{CategoryGit, CategoryDocker, CategoryKubernetes, CategoryNPM, CategoryCargo,
		CategoryFileOps, CategoryNetwork, CategorySystem, CategoryEditor, CategoryOther}
}

// OtherCategory returns the category of a command that belongs to none of the named ones: "other:<tool>" when tool
// is a public name ([IsPublicTool]), and plain [CategoryOther] when it is not, because a private script's name is L0.
func OtherCategory(tool string) CommandCategory {
	if IsPublicTool(tool) {
		return CommandCategory(otherPrefix + tool)
	}
	return CategoryOther
}

// Validate accepts the named categories and "other:<tool>" with a public tool name. A received category with any
// other tool is refused, so that a private name cannot be passed on.
func (c CommandCategory) Validate() error {
	if slices.Contains(Categories(), c) {
		return nil
	}
	if tool, ok := strings.CutPrefix(string(c), otherPrefix); ok && IsPublicTool(tool) {
		return nil
	}
	return fmt.Errorf("unknown command category %q", string(c))
}

// IsPublicTool reports whether tool is on the built-in list of public tool names, which may leave the machine.
func IsPublicTool(tool string) bool {
	_, found := slices.BinarySearch(publicTools, tool)
	return found
}

// publicTools is sorted (a test checks it) and holds names of widely published programs only. It is part of the
// wire format: a name may be added in a release, and receivers older than that refuse summaries which contain it, so
// names are added together with a protocol version.
var publicTools = strings.Fields(`
	actionlint age ansible ansible-playbook ant apko argocd asdf atlas autoconf automake autossh aws az awk
	b2sum base64 bash bats bazel bc black buf buildah bun bundle
	cabal caddy calc caro caro-node ccache celery chezmoi clang clang-format cmake composer conan conda consul corepack cosign cucumber
	cypress date dart datadog-agent deno direnv dnf doctl dotnet dpkg duckdb
	echo elixir elm emacsclient erl esbuild eslint etcdctl exercism expr
	fastlane fd ffmpeg fish flake8 flutter fly flyctl fnm foreman fzf
	g++ gcc gcloud gdb gem gh ghc ghci glab gleam go gofmt golangci-lint gopls gpg gradle gradlew grunt gsutil gulp
	hatch heroku hexdump htpasswd http httpie hugo hx hyperfine ibmcloud iex influx inkscape ipython
	isort java javac jekyll jest jj jq julia jupyter just kafka-topics keytool ko kotlin kotlinc
	ld ldd lean leiningen lein lerna lldb llvm-config lua luajit luarocks
	m4 make makefile man maven mercurial hg meson mise mix mkdocs mocha mongo mongosh msbuild mvn mvnw mypy mysql mysqldump
	nasm ninja nim nix nix-build nix-shell node nodemon nomad nox nvm nx
	objdump ocaml octave op opam openssl oc oci
	packer pandoc pants parallel pass pdftotext pdm perf perl pg_dump pg_restore pgbench php phpunit pip pip3 pipenv pipx pkg-config
	playwright pnpm poetry podman-compose pre-commit prettier printf protoc psql pulumi puppet pwsh pylint pyright pytest python python2 python3
	qemu-img qmake quarto R r2 racket rails rake rbenv readelf redis-cli redis-server renovate ripgrep rg rollup Rscript rspec rubocop ruby ruff
	rust-analyzer rustc rustfmt rustup rye
	salt sass sbcl sbt scala scalac scons screen sdk sed semgrep sentry-cli seq serverless sfdx sha1sum sha256sum sh shellcheck shfmt skaffold sops
	sqlcmd sqlite3 stack starship staticcheck storybook strace stylelint svn swift swiftc syft
	tailwindcss task tee terraform terragrunt terraform-docs test tflint tig time tldr tmux tofu tox tr trivy trufflehog ts-node tsc tsx turbo
	unittest uv uvicorn gunicorn uvx vagrant valgrind vault vercel virtualenv vite vitest volta
	wasm-pack watchexec webpack wezterm wireshark wrangler xcodebuild xcrun xxd yamllint yarn yq
	zellij zig zola zoxide zsh
`)

func init() { slices.Sort(publicTools) }

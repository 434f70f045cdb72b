package protocol

import (
	"slices"
	"strings"
)

// IsPublicTool reports whether tool is on the built-in list of public tool names, which may leave the machine as
// "other:<tool>". Names are compared exactly, upper and lower case included.
func IsPublicTool(tool string) bool {
	_, found := slices.BinarySearch(publicTools, tool)
	return found
}

// publicTools holds the command names of widely published programs, in byte order (a test checks it).
//
// A name belongs here when many developers know the program by exactly this command name, so that seeing it tells
// nothing about whoever typed it; a name that could as well be somebody's own script does not. Shell built-ins, and
// programs that always fall into a named category (git, ls, curl, systemctl, vim), need not be here.
//
// The list is part of the wire format: a receiver refuses a summary with a name that it does not know, since the name
// could be a private one. A name is therefore added only together with a protocol version, and none is ever removed.
var publicTools = strings.Fields(`
	7z
	R Rscript
	VBoxHeadless VBoxManage
	ab ack act actionlint adb addr2line ag age aider airflow alembic alertmanager ansible ansible-doc ansible-galaxy
	ansible-inventory ansible-lint ansible-playbook ansible-vault ant apk apko apt apt-get ar arduino-cli argo argocd
	artisan asciidoctor asdf astro atlantis atlas atuin autoconf automake autossh avrdude awk aws aws-vault awslocal az
	azd
	b2sum bandit base64 bash bat bats bazel bazelisk bc bibtex bicep binwalk biome bison black blender borg bpftrace bq
	brakeman brew buck buf buildah buildctl bun bundle bundler bzip2
	c++ c++filt c99 cabal caddy caro caro-node carthage cc ccache cdk celery certbot cf cf-terraforming changeset
	checkov chezmoi choco chromedriver cilium circleci clang clang++ clang-format clang-tidy clangd claude
	clickhouse-client clj cloc clojure cloudflared cmake cockroach codecov codex colima column comm commitlint composer
	conan conda consul cookiecutter copilot corepack cosign coverage cpan cpp cppcheck cqlsh crictl crossplane crystal
	ctest ctr cucumber cue cursor-agent cut cypress
	dagger dart dash databricks datadog-agent date dbt delta deno detect-secrets detekt devbox diff difft direnv
	django-admin dlv dnf doctl doppler dot dotnet doxygen dpkg duckdb dune dvc
	earthly eksctl elasticsearch electron elixir elm emacsclient emerge envsubst erl erlc esbuild eslint esptool
	esptool.py etcdctl exercism exiftool expect expo expr eza
	fastapi fastboot fastlane fd ffmpeg ffplay ffprobe firebase fish flake8 flask flatpak flex flutter flux fly flyctl
	flyway fnm foreman fzf
	g++ gawk gcc gcloud gcov gdb gdbserver geckodriver gem gemini gfortran gh ghc ghci ghcup ginkgo git-crypt git-lfs
	gitlab-runner gitleaks gitui glab gleam glow gm gmake gnuplot go godot gofmt gofumpt goimports gojq golangci-lint
	gopls goreleaser gotestsum govulncheck gpg gpg2 gradio gradle gradlew grafana-cli groovy grpcui grpcurl grunt grype
	gs gsutil guix gulp gum gunicorn gunzip gzip
	hadolint hadoop haproxy hashcat hatch hcloud hdfs helmfile heroku hexdump hexyl hey hg home-manager htpasswd http
	httpie https huggingface-cli hugo husky hx hyperfine
	ibmcloud iconv idf.py iex influx infracost inkscape ionic ipython ipython3 irb isort istioctl iverilog
	jar java javac javap jcmd jekyll jest jj jmap jmeter jo john jq jruby jshell jsonnet jstack julia jupyter
	jupyter-lab jupyter-notebook just
	k6 kafka-console-consumer kafka-console-producer kafka-topics kafkacat kcat keytool ko kotlin kotlinc ksh ktlint
	kubeconform
	latex latexmk lazydocker lazygit lcov ld ldd lean lefthook lein lerna linkerd linode-cli lint-staged liquibase
	litestream llama-cli lld lldb llm llvm-config localstack locust lsd ltrace lua luajit lualatex luarocks lxc lz4
	m4 magick make mamba man mariadb markdownlint markdownlint-cli2 matlab maturin md5sum mdbook meson minicom minio
	mise mitmdump mitmproxy mix mkcert mkdocs mlflow mmdc mocha molecule mongo mongosh mono mosh mpiexec mpirun msbuild
	msfconsole mvn mvnw mycli mypy mysql mysqladmin mysqldump
	nasm nats nerdctl netlify newman nextflow ng nginx ngrok nim nimble ninja nix nix-build nix-env nix-shell nix-store
	nixos-rebuild nm node nodejs nodemon nohup nomad nox nu nuget nuxt nvcc nvm nx
	objcopy objdump oc ocaml oci ocrmypdf octave ollama op opam openapi-generator openapi-generator-cli opencode
	openocd opensearch openssl openstack openvpn
	p4 packer pacman pandoc pants parallel parcel pass paste patch pbcopy pbpaste pdflatex pdftotext pdm perf perl
	pg_ctl pg_dump pg_dumpall pg_restore pgbench pgcli php phpcs phpstan phpunit pio pip pip-audit pip-compile pip3
	pipenv pipx pkg-config pkgconf plantuml platformio playwright pm2 pnpm pod podman podman-compose poetry port
	powershell pre-commit prettier prisma prometheus promtool protoc prove psql pulumi puma puppet puppeteer pwgen pwsh
	pyenv pyinstaller pylint pyright pyspark pytest python python2 python3
	qemu-img qemu-system-aarch64 qemu-system-arm qemu-system-x86_64 qmake qpdf quarto
	r10k r2 rabbitmqadmin rabbitmqctl racket raco rails rake ranlib rbenv rclone react-native readelf rebar3 redis-cli
	redis-server renovate restic rg rollup rspec rsvg-convert rubocop ruby ruff runc rust-analyzer rust-gdb rust-lldb
	rustc rustfmt rustup rvm rye
	salt salt-call salt-ssh sam sass sbatch sbcl sbt scala scala-cli scalac scalafmt sccache scons scoop scrapy scrcpy
	screen sd sdkmanager sed semantic-release semgrep sentry-cli seq serverless sfdx sh sha1sum sha224sum sha256sum
	sha384sum sha512sum shellcheck shfmt sidekiq sk skaffold skopeo snakemake snap snowsql snyk sonar-scanner sops sort
	spark-shell spark-sql spark-submit sphinx-build sphinx-quickstart sqlc sqlcmd sqlite-utils sqlite3 sqlmap sqlplus
	squeue srun stack standardrb starship staticcheck storybook strace streamlit strings strip stylelint supabase svn
	swc swift swiftc swiftformat swiftlint swig syft
	tailscale tailwindcss taplo tar task tcpdump tcsh tectonic tee tensorboard terraform terraform-docs terragrunt
	tesseract tflint tfsec tig tilt timeout tkn tldr tmux tofu tokei torchrun tox tr traefik trino trivy trufflehog
	trunk ts-node tsc tshark tsx tuist turbo twine typst
	uniq unzip uuidgen uv uvicorn uvx
	vagrant valgrind vault vcpkg velero vercel verilator virsh virt-install virtualenv vite vitest vllm vmrun volta vue
	wandb wasm-bindgen wasm-pack watchexec webpack west wezterm wg wg-quick winget wireshark wl-copy wl-paste wp
	wrangler wrk wrk2
	xargs xcaddy xclip xcodebuild xcodegen xcrun xdg-open xelatex xh xmake xmllint xsel xsltproc xxd xz
	yacc yamllint yapf yarn yasm yosys youtube-dl yq yt-dlp yum
	zellij zig zip zola zoxide zsh zstd zypper
`)

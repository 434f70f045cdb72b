package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

var packageRules = []Rule{
	{
		ID: "package.remove-vital", Level: critical,
		Reason:     "It removes software without which the system does not run.",
		Suggestion: "Simulate it first (apt -s), and read what goes.",
		when: []string{
			"apt remove|purge|autoremove ... libc6|libc-bin|bash|dpkg|apt|systemd|coreutils|sudo|init",
			"apt remove|purge|autoremove ... linux-image*|base-files|login|util-linux|python3|python3-minimal",
			"apt remove|purge|autoremove ... libssl*|openssh-server|*[*]|[*]",
			"dnf remove|erase|autoremove ... glibc|bash|rpm|dnf|yum|systemd|kernel|kernel-*|coreutils|sudo",
			"dnf remove|erase|autoremove ... python3|python|openssl|filesystem|openssh-server|[*]",
			"pacman ~-R glibc|bash|pacman|systemd|linux|coreutils|base|filesystem",
			"dpkg --force-all|--force-remove-essential|--force-depends", "rpm -e --nodeps",
			"apt ... --allow-remove-essential|--force-yes", "brew uninstall --force --ignore-dependencies",
			"zypper rm|remove glibc|bash|systemd|kernel-default|zypper|rpm",
			"apk del musl|busybox|apk-tools|alpine-base|alpine-baselayout", "pacman -Rdd|-Rddn|-Rddns",
		},
	},
	{
		ID: "package.remove", Level: moderate,
		Reason:     "It removes software.",
		Suggestion: "Simulate it first, and read what goes with it.",
		when: []string{
			"apt remove|purge|autoremove|autopurge|clean|autoclean !-s|--simulate|--dry-run",
			"dnf remove|erase|autoremove|swap|clean", "pacman -R|-Rs|-Rns|-Rsc|-Rn|-Rcns|-Sc|-Scc",
			"dpkg -r|--remove|-P|--purge", "rpm -e|--erase", "zypper rm|remove|clean", "apk del",
			"brew uninstall|remove|rm|cleanup|autoremove|untap|unlink", "snap|flatpak remove|uninstall",
			"pip uninstall", "npm uninstall|remove|rm|un|prune", "yarn|bun remove",
			"gem|cargo|composer|nuget|cpan uninstall|remove", "choco|scoop|winget uninstall", "port uninstall",
			"conda|mamba remove|uninstall|clean", "conda|mamba env remove", "poetry|uv|pdm remove",
			"pipx uninstall|uninstall-all", "nix-env -e|--uninstall", "nix-collect-garbage ...", "nix store gc",
			"guix remove|gc", "rustup toolchain|target|component uninstall|remove", "rustup self uninstall",
			"nvm|pyenv|rbenv|asdf|sdk|mise|volta|fnm uninstall",
			"npm|yarn|pnpm|pip cache clean|purge|rm|prune|clear|remove", "emerge -C|--unmerge|--depclean|-c",
			"pkg delete|remove|autoremove|purge", "helm plugin uninstall", "code --uninstall-extension",
		},
	},
	{
		ID: "package.remove-all", Level: high,
		Reason:     "It removes everything that another command lists as installed.",
		Suggestion: "Print the list first, and name what shall go.",
		when: []string{
			"nix-env -e|--uninstall ~*|.*", "conda|mamba|micromamba env|remove ~base",
		},
	},
	{
		ID: "package.install", Level: moderate,
		Reason:     "It installs or upgrades software, which may run programs of its own.",
		Suggestion: "Check the name and the source.",
		when: []string{
			"apt install|upgrade|dist-upgrade|full-upgrade|reinstall|build-dep|do-release-upgrade",
			"dnf install|upgrade|update|reinstall|downgrade|localinstall|groupinstall|distro-sync|copr",
			"dnf system-upgrade|module", "pacman -S|-Syu|-Sy|-Syyu|-U|-Su", "dpkg -i|--install|--configure|--unpack",
			"rpm -i|-U|-ivh|-Uvh|-F|--import", "zypper in|install|up|update|dup|addrepo|ar", "apk add|upgrade|fix",
			"brew install|upgrade|reinstall|tap|link", "snap|flatpak install|refresh|update|connect|revert",
			"pip install|download", "npm ... -g|--global", "gem|cpan|cpanm|luarocks install|update",
			"cargo|go install", "composer global", "choco|scoop|winget install|upgrade|update",
			"port install|upgrade", "pipx install|upgrade|inject|reinstall", "conda|mamba install|update|create",
			"nix-env -i|-iA|--install|-u|--upgrade", "nix profile install|upgrade|remove",
			"nixos-rebuild|darwin-rebuild|home-manager switch|boot|test", "guix install|upgrade|pull",
			"add-apt-repository|apt-key|apt-add-repository ...", "do-release-upgrade ...",
			"emerge ... !-p|--pretend|-s|--search|--info", "pkg install|upgrade|update", "npm audit ~--force",
			"easy_install ...", "cpanm ...", "dotnet tool install|update", "rustup update|install|default|override",
			"code|codium --install-extension", "mas install|upgrade", "unattended-upgrade ...",
			"yum-config-manager|dnf-automatic|subscription-manager ...", "apt-mark hold|unhold|auto",
			"dpkg-reconfigure ...", "nvm|sdk|asdf|mise|volta|fnm|pyenv|rbenv install|use|global",
			"asdf plugin add|update|remove", "make install|uninstall|modules_install",
			"ninja|meson|cmake install|--install", "python|python3 *setup.py install|develop",
		},
	},
	{
		ID: "package.project", Level: moderate,
		Reason:     "It downloads what a project depends on, and runs the programs that come with it.",
		Suggestion: "Install exactly what the lock file says, without scripts where that is enough.",
		when: []string{
			"npm install|i|ci|add|update|up|upgrade|dedupe !--dry-run", "npm audit fix !--dry-run",
			"npm dlx|create|init !-y|--yes", "yarn add|install|upgrade|up|create|dlx !--dry-run",
			"bun add|install|update|create", "poetry add|install|update|sync !--dry-run",
			"uv add|sync|lock !--dry-run", "uv pip|tool install|sync|compile", "pipenv install|sync|update",
			"pdm add|install|update|sync", "rye|hatch add|sync", "pip-sync|pip-compile ...",
			"bundle install|update|add", "composer install|require|update|create-project !--dry-run",
			"cargo add|update|fetch|vendor", "go get", "go mod tidy|download|vendor", "dotnet restore|add|workload",
			"dotnet new install", "flutter|dart pub get|add|upgrade",
			"mix deps.get|deps.update|archive.install|local.hex", "swift package update|resolve",
			"pod install|update", "carthage update|bootstrap", "conda|mamba|micromamba env create|update",
			"pixi add|install|update", "fisher|omf install|update|add", "tlmgr install|update",
			"cabal|stack install|update", "opam install|update|upgrade|switch", "luarocks make|install",
			"npx create-*|*@latest", "pnpm add|install|i|update|dlx|create !--dry-run", "deno install|add|cache",
			"vcpkg install|upgrade", "conan install", "bower|jspm install", "nimble install", "shards install|update",
			"rebar3 get-deps|upgrade", "lein deps|ancient", "helm dependency|dep update|build",
			"terraform init -upgrade", "pre-commit install|autoupdate", "corepack enable|prepare|use",
			"asdf|mise|proto|rtx local|reshim|plugin-add", "krew install", "kubectl krew install",
			"gh extension install|upgrade", "apm install", "spack install", "buf dep|mod update",
			"opkg install|upgrade", "ansible-galaxy install", "ansible-galaxy collection|role install",
			"playwright install", "npx playwright install", "rustup target|component add",
			"Rscript|R ~install.packages", "adb install|uninstall|push", "julia ~Pkg.add|Pkg.instantiate|Pkg.update",
			"go run *@latest|*@v*|*@master|*@main",
		},
	},
	{
		ID: "build.clean", Level: moderate,
		Reason:     "It deletes what a build has made.",
		Suggestion: "None is needed if the build works from scratch.",
		when: []string{
			"make|gmake|bmake|mage|just|task|ninja|rake clean|distclean|mrproper|clobber|realclean|maintainer-clean|cleanall",
			"make|gmake ... clean|distclean|mrproper|clobber",
			"cargo|flutter|lein|sbt|stack|cabal|mix|dune|zig|forge|truffle|anchor|west clean", "go clean",
			"mvn|mvnw|gradle|gradlew|ant ... clean", "cmake ~clean --target", "bazel|bazelisk clean|shutdown",
			"dotnet|swift|msbuild|xcodebuild ... clean", "swift package clean|reset|purge-cache",
			"idf.py clean|fullclean|erase-flash", "bitbake -c ~clean", "npm|yarn|pnpm|bun run clean",
			"npm|yarn|pnpm cache ~clean", "rails|rake tmp:clear|assets:clobber|log:clear", "ccache -C|--clear|-c",
			"git lfs prune", "tox|nox ~--recreate", "latexmk -C|-c", "platformio|pio run ~clean", "gulp|grunt clean",
			"gatsby|expo clean", "hugo ~--cleanDestinationDir", "scons -c", "waf clean|distclean", "meson|b2 ~clean",
			"nx reset", "turbo|lerna clean", "mypy ~--cache-clear", "pyclean ...",
		},
	},
	{
		ID: "device.flash", Level: moderate,
		Reason:     "It writes a program to a board that is attached.",
		Suggestion: "Check the port and the board's name first.",
		when: []string{
			"idf.py ... flash|erase-flash|monitor-flash",
			"esptool.py|esptool ... write_flash|write-flash|read_flash|verify_flash", "st-flash|st-util write|erase",
			"arduino-cli upload|burn-bootloader", "avrdude|dfu-util|bossac|teensy_loader_cli|nrfjprog ... !--help",
			"openocd ~program|flash", "picotool load|erase|save", "west flash", "probe-rs run|download|erase",
			"platformio|pio run ~upload", "cargo flash|embed|espflash", "espflash flash|erase-flash",
			"uf2conv.py ...", "stm32flash -w", "mpremote cp|rm|run", "ampy put|rm", "rshell cp|rm",
		},
	},
	{
		ID: "package.publish", Level: high,
		Reason:     "It publishes a release to everybody; most registries never let it be taken back.",
		Suggestion: "Run it with --dry-run first, and check the version and the files.",
		when: []string{
			"npm publish !--dry-run", "npm ... publish !--dry-run|-h|--help", "yarn|bun|lerna publish !--dry-run",
			"yarn npm publish", "lerna publish", "cargo publish !--dry-run|-n|--list",
			"twine|flit|hatch|poetry|pdm|uv upload|publish !--dry-run", "gem push",
			"python|python3 setup.py ... upload", "mvn deploy",
			"gradle|gradlew publish|publishToMavenCentral|uploadArchives|publishPlugins", "nuget|dotnet push",
			"dotnet nuget push", "mix hex.publish", "dart|flutter pub publish !--dry-run|-n", "pod trunk push",
			"vsce|ovsx publish", "goreleaser release !--snapshot|--skip-publish|--skip=publish",
			"release-it|semantic-release|np|changeset|standard-version publish", "semantic-release|np ...",
			"snapcraft upload|push|release", "helm push", "luarocks upload", "cabal upload", "stack upload",
			"jsr|deno publish", "ansible-galaxy collection|role publish|import", "conda|anaconda upload",
			"eas submit", "fastlane deliver|release|deploy|supply", "asc|altool upload", "xcrun altool --upload-app",
			"clasp deploy", "sbt publish|publishSigned", "lein deploy", "hackage-upload|opam-publish ...",
			"wasm-pack publish", "ovsx|vsce publish",
		},
	},
	{
		ID: "package.unpublish", Level: high,
		Reason:     "It withdraws a release that others depend on.",
		Suggestion: "Deprecate it instead.",
		when: []string{
			"npm unpublish", "cargo|gem yank", "nuget|dotnet delete", "dotnet nuget delete", "mix hex.retire",
			"vsce|ovsx unpublish|delete",
		},
	},
	{
		ID: "package.registry", Level: moderate,
		Reason:     "It changes who may publish, or what others get by default.",
		Suggestion: "List the present state first.",
		when: []string{
			"npm deprecate", "npm owner|access|team rm|add|revoke|grant|set", "npm dist-tag rm|add",
			"npm token revoke|delete|create", "cargo owner", "gh release create|edit|upload", "gem owner",
		},
	},
	{
		ID: "package.push-image", Level: moderate,
		Reason:     "It publishes an image that others may run.",
		Suggestion: "Check the tag, and that no secret is in a layer.",
		when: []string{
			"docker push", "docker image push", "docker compose push", "docker buildx build --push",
			"skopeo|crane|oras copy|push|delete|cp", "skopeo sync", "buildah push", "ko|jib publish|build|apply",
			"podman manifest push", "docker manifest push",
		},
	},
	{
		ID: "package.untrusted", Level: high,
		Reason:     "It installs without checking where the software comes from.",
		Suggestion: "Use the official index with certificate checks.",
		when: []string{
			"pip install --trusted-host|--break-system-packages",
			"pip install --index-url|-i|--extra-index-url ~http://", "npm install|i ~http://",
			"apt install --allow-unauthenticated", "dnf install --nogpgcheck", "rpm --nosignature|--nogpgcheck",
			"npm ... --unsafe-perm|--unsafe-perm=true", "npm|yarn|pnpm config|set ~registry ~http://",
			"npm|yarn ... --registry=http://*", "npm ... --registry ~http://", "pip config set ~http://",
			"pip config set ~trusted-host", "pip install ... http://*|git+http://*",
			"gem sources|source -a|--add ~http://", "bundle config ~http://", "composer config ~http://",
			"composer config secure-http false", "go env ~GOPROXY=http://", "go env ~GOSUMDB=off",
			"go env ~GOINSECURE", "cargo install --git|--index ~http://", "conda config --set ssl_verify false",
			"conda config --add ~http://", "poetry source add ~http://", "dnf config-manager ~http://",
			"nuget sources add ~http://", "dotnet nuget add source ~http://", "helm repo add ~http:// !--ca-file", "helm install|upgrade ~http://",
			"kubectl apply|create|replace ~http:// !--dry-run|--dry-run=client",
			"apt-key ... ~http://", "add-apt-repository ~http://", "brew install ~http://", "brew tap ~http://",
			"snap install --dangerous|--devmode", "flatpak install --no-gpg-verify",
			"flatpak remote-add --no-gpg-verify", "zypper --no-gpg-checks ...", "zypper ... --no-gpg-checks",
			"apt ~Acquire::AllowInsecureRepositories=true|APT::Get::AllowUnauthenticated",
			"apt-get --force-yes|--allow-downgrades=unauthenticated",
			"git config http.sslVerify|http.sslverify false --global", "yum ... --nogpgcheck",
			"luarocks install ~--server=http://", "cpan|cpanm ~http://", "opam repo|repository add ~http://",
			"cabal install ~http://", "R|Rscript ~repos='http://", "npm config set strict-ssl false",
			"npm set|config ~strict-ssl=false", "pacman ~SigLevel", "apk add --allow-untrusted",
			"gem install ~http://", "go env ~GONOSUMCHECK|GONOSUMDB|GOFLAGS=-insecure",
			"ansible-pull ~http://", "ansible-galaxy install ~http://",
		},
	},
}

func init() {
	register(removeListed, "brew", "pip", "apt", "dnf", "pacman", "snap", "flatpak", "gem", "npm", "zypper", "apk",
		"pkg", "port", "cargo", "dpkg", "rpm")
}

// removeListed judges removals of what a list of everything installed holds.
func removeListed(a *assessor, r *shellparse.Run) {
	if r.Has("install") || r.Has("add") || r.Has("i") {
		for i := range r.Args {
			if t := r.Args[i].Text; strings.Contains(t, "://") && bareAddress(strings.TrimPrefix(t, "git+")) {
				a.hit("package.untrusted")
			}
		}
	}
	if !(r.Has("uninstall") || r.Has("remove") || r.Has("purge") || r.Has("rm") || r.Has("erase") || r.Has("del") ||
		r.Has("-e") ||
		r.Has("-R") || r.Has("-Rns") || r.Has("-P")) {
		return
	}
	for i := range r.Args {
		for _, f := range a.cmd.Upstream(shellparse.Source{From: r.Args[i].From}) {
			u := &a.cmd.Runs[f]
			if u.Name == "grep" || u.Name == "head" || u.Name == "fzf" || u.Name == "egrep" || u.Name == "rg" ||
				u.Has("-Qdtq") ||
				u.Has("-Qtdq") || u.Has("leaves") || u.Has("--outdated") || u.Has("-q") && u.Name == "deborphan" {
				return
			}
			if u.Has("list") || u.Has("freeze") || u.Has("-l") || u.Has("-qa") || u.Has("-Qq") || u.Has("ls") ||
				u.Has("info") {
				a.hit("package.remove-all")
			}
		}
	}
}

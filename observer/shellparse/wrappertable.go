package shellparse

// wrapper describes how a program that starts another one is invoked, so that the other one can be found.
type wrapper struct {
	value  string // short options that take a value
	long   string // long options that take a separate value, blank separated
	skip   int    // operands before the command
	sub    string // sub-commands that start one, blank separated: "exec run"
	assign bool   // NAME=value operands before the command
	root   bool   // gives another user's rights
	place  Place
	dashes bool // the command starts only behind "--"
}

// wrappers are transparent: what counts is the command behind them.
var wrappers = map[string]wrapper{
	"sudo": {value: "aCcDghprRtTuU",
		long: "--user --group --prompt --chdir --host --close-from --role --type --chroot --command-timeout --other-user", assign: true, root: true},
	"doas":   {value: "Cu", root: true},
	"pkexec": {long: "--user", root: true},
	"gosu":   {skip: 1, root: true}, "su-exec": {skip: 1, root: true},
	"run0": {long: "--user --unit --chdir --property", value: "upD", root: true},
	"env":  {value: "uCS", long: "--unset --chdir --split-string --argv0", assign: true}, "cross-env": {assign: true},
	"dotenv": {value: "efv", assign: true}, "dotenvx": {sub: "run", value: "ef"},
	"nohup": {}, "setsid": {}, "disown": {}, "command": {}, "builtin": {}, "exec": {value: "a"}, "noglob": {},
	"nocorrect": {}, "-": {},
	"repeat": {skip: 1}, "time": {value: "fo", long: "--format --output"}, "gtime": {value: "fo"},
	"nice": {value: "n", long: "--adjustment"}, "ionice": {value: "cn", long: "--class --classdata"},
	"renice": {dashes: true},
	"chrt":   {skip: 1, value: "TPD"}, "taskset": {skip: 1}, "numactl": {value: "NmiCpl",
		long: "--cpunodebind --membind --interleave --physcpubind"},
	"timeout": {value: "ks", long: "--kill-after --signal", skip: 1}, "gtimeout": {value: "ks", skip: 1},
	"stdbuf": {value: "ioe", long: "--input --output --error"}, "unbuffer": {}, "chronic": {}, "ifne": {},
	"caffeinate": {value: "tw"}, "rlwrap": {value: "fHsSaC"},
	"strace": {value: "aeEIopPsSuUbXO"}, "ltrace": {value: "aAeFlnopsuwx"}, "valgrind": {},
	"perf":      {sub: "record stat trace", value: "eopFgICt"},
	"catchsegv": {}, "setarch": {skip: 1}, "arch": {value: "e"}, "linux32": {}, "linux64": {},
	"chroot":  {long: "--userspec --groups", place: PlaceChroot, skip: 1},
	"unshare": {value: "RwSG", long: "--root --wd --setuid --setgid --map-user --map-group"}, "nsenter": {value: "tSG",
		long: "--target --setuid --setgid"},
	"setpriv": {long: "--reuid --regid --groups --securebits"}, "capsh": {dashes: true}, "prlimit": {},
	"cgexec": {value: "g"}, "runcon": {value: "utrl"},
	"systemd-run": {value: "pMHuE",
		long: "--unit --property --description --slice --setenv --uid --gid --on-calendar --on-active --machine --host --working-directory"},
	"systemd-inhibit": {long: "--what --who --why --mode"}, "dbus-run-session": {}, "xvfb-run": {value: "ewnsf"},
	"fakeroot": {}, "proot": {value: "rbqw"},
	"firejail": {}, "bwrap": {dashes: true}, "torsocks": {}, "torify": {}, "tsocks": {}, "proxychains": {value: "f"},
	"proxychains4": {value: "f"},
	"sshpass":      {value: "pfedP"}, "winpty": {}, "busybox": {}, "toybox": {}, "cpulimit": {value: "lepP", long: "--limit --exe --pid --path"}, "eatmydata": {},
	"ts":   {dashes: true},
	"entr": {}, "with-contenv": {}, "tini": {}, "dumb-init": {}, "ssh-agent": {}, "start-stop-daemon": {dashes: true},
	"coreutils": {}, "uutils": {}, "sudo-rs": {value: "aCcDghprRtTuU", assign: true, root: true}, "please": {value: "udt", root: true},
	"dzdo": {value: "ugp", root: true}, "gksudo": {value: "u", root: true}, "gksu": {value: "u", root: true},
	"kdesu": {value: "u", root: true}, "kdesudo": {root: true}, "lxqt-sudo": {root: true}, "calife": {skip: 1, root: true},
	"super": {root: true}, "chpst": {value: "uUbe/noptcmdsflrv"}, "setuidgid": {skip: 1}, "s6-setuidgid": {skip: 1},
	"s6-applyuidgid": {value: "ugGUz"}, "softlimit": {value: "acdflmoprst"}, "envuidgid": {skip: 1}, "pgrphack": {},
	"faketime": {skip: 1, value: "fx"}, "ddtrace-run": {}, "newrelic-admin": {sub: "run-program"}, "dtruss": {value: "bnpt"},
	"rr": {sub: "record"}, "heaptrack": {}, "gdbserver": {skip: 1}, "trickle": {value: "dusltpn"},
	"retry": {value: "tdms", long: "--times --delay --until --max"}, "nq": {}, "tsp": {value: "LNDWEO"},
	"dbus-launch": {}, "flatpak-spawn": {long: "--env --directory"}, "host-spawn": {},
	"distrobox-host-exec": {}, "arch-chroot": {skip: 1, value: "u", place: PlaceChroot},
	"systemd-nspawn": {value: "DiMUpES", long: "--directory --image --machine --user --bind --property --setenv", place: PlaceChroot},
	"fakechroot":     {}, "schroot": {value: "cnurdp", long: "--chroot --user --directory", dashes: true, place: PlaceChroot},
	"devbox": {sub: "run"}, "flox": {sub: "activate", dashes: true}, "guix": {sub: "shell", dashes: true},
	"railway": {sub: "run"}, "watchexec": {value: "wefiN", long: "--watch --exts --filter --ignore --shell"},
	"reflex": {value: "rgRGd"}, "x11docker": {dashes: true}, "zellij": {sub: "run", dashes: true}, "dtach": {value: "Ecr", skip: 1},
	"abduco": {skip: 1, value: "e"}, "cage": {}, "startx": {}, "xinit": {}, "gamemoderun": {}, "primusrun": {}, "optirun": {},
	"prime-run": {}, "mangohud": {}, "wine": {}, "box64": {}, "qemu-x86_64": {}, "qemu-aarch64": {},
	"tsh": {sub: "ssh", skip: 1, place: PlaceRemote}, "ld.so": {}, "ld-linux-x86-64.so.2": {}, "ld-linux.so.2": {}, "ld-linux-aarch64.so.1": {},
	"aws-okta": {sub: "exec", dashes: true}, "summon": {value: "fpe", long: "--provider --environment"}, "berglas": {sub: "exec", dashes: true},
	"poetry": {sub: "run"}, "pipenv": {sub: "run"}, "uv": {sub: "run", value: "p",
		long: "--with --python --package --project --extra --env-file"}, "rye": {sub: "run"}, "pdm": {sub: "run"},
	"hatch":  {sub: "run"},
	"bundle": {sub: "exec"}, "conda": {sub: "run", value: "np"}, "mamba": {sub: "run", value: "np"},
	"micromamba": {sub: "run", value: "np"}, "pixi": {sub: "run"},
	"mise": {sub: "exec x", dashes: true}, "asdf": {sub: "exec"}, "rbenv": {sub: "exec"}, "pyenv": {sub: "exec"},
	"nodenv": {sub: "exec"}, "volta": {sub: "run"}, "fnm": {sub: "exec", long: "--using"},
	"op": {sub: "run", dashes: true}, "doppler": {sub: "run", dashes: true}, "infisical": {sub: "run", dashes: true},
	"teller": {sub: "run", dashes: true}, "chamber": {sub: "exec", dashes: true},
	"aws-vault": {sub: "exec", dashes: true}, "direnv": {sub: "exec", skip: 1}, "envchain": {skip: 1},
	"envdir": {skip: 1}, "foreman": {sub: "run"}, "sops": {sub: "exec-env", skip: 1}, "rustup": {sub: "run",
		skip: 1}, "nvm": {sub: "exec run", skip: 1},
}

package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// maxForeign bounds the program text in another language that is searched.
const maxForeign = 64 << 10

// foreign judges program text in other languages, as far as names of functions and constant paths tell. Shell commands in
// it are runs of their own and judged as such.
func (a *assessor) foreign() {
	r := a.at
	if !r.Code.Known || shells.Has(r.Name) || handsOn.Has(r.Name) {
		return
	}
	code := r.Code.Text
	if len(code) > maxForeign {
		code = code[:maxForeign]
	}
	a.foreignRemovals(code)
	a.calls(code)
	flat := strings.ReplaceAll(code, " ", "")
	if i := strings.Index(code, "/dev/"); i >= 0 && anyIn(flat, diskWriters) {
		if end := strings.IndexAny(code[i:], "'\"`"); end > 0 && isDisk(code[i:i+end]) {
			a.hit("code.foreign-destroy")
		}
	}
	if anyIn(flat, forkLoops) || strings.Contains(flat, "os.fork()") && anyIn(flat, []string{"while", "for"}) {
		a.hit("shell.fork-bomb")
	}
	if anyIn(flat, []string{"setuid(0)", "setreuid(0", "setresuid(0", "setgid(0)", "POSIX::setuid"}) && anyIn(flat, starters) {
		a.hit("account.root-escape")
	}
	if anyIn(flat, []string{"exec(", "eval(", "system(", "popen(", "subprocess.", "execSync(", "shell_exec(", "Function(",
		"runInThisContext(", "runInNewContext(", "instance_eval", "class_eval", "loadstring(", "load(", "compile(", "spawn(", "include",
		"IEX", "Invoke-Expression", "eval"}) {
		switch {
		case anyIn(flat, decoders):
			a.pick(r.Root, "code.decoded-root", "code.decoded")
		case anyIn(flat, loaders):
			a.pick(r.Root, "code.remote-root", "code.remote")
		}
	}
	if r.Name == "osascript" && anyIn(code, []string{"delete every", "delete (every", "delete folder", "delete POSIX", "empty the trash",
		"delete item", "delete (POSIX", "delete disk item", "move (every", "delete file"}) {
		a.hit("code.foreign-remove")
	}
	if anyIn(flat, senders) {
		a.foreignSecrets(code)
	}
	if anyIn(flat, connections) && anyIn(flat, starters) {
		a.hit("network.reverse-shell")
	}
}

// handsOn are commands whose code is shell code, which has been resolved already.
var handsOn = wordset.Of(`eval source . ssh su sudo doas runuser trap alias crontab at batch watch script flock`)

// What the text holds is compared without blanks, so the entries have none.
var (
	diskWriters = []string{`'w`, `"w`, "write", "'r+", `"r+`, ",'>", `,">`, "createWriteStream"}
	forkLoops   = []string{"forkwhilefork", "fork()while", "forkwhile1", "loop{fork", "while(1){fork", "fork();}while",
		"while(true){require('child_process')"}
	decoders = []string{"b64decode(", "base64_decode(", "decode_base64(", "'base64'", `"base64"`, "fromhex(",
		"Base64.decode", "atob(", "unhexlify("}
	loaders = []string{"urlopen(", "requests.get(", "file_get_contents('http", `file_get_contents("http`, "http.get(",
		`.get("http`, `.get('http`, `fetch("http`, "fetch('http", "fetch(`http", `open("http`, "open('http", "URI.open(", "Net::HTTP.get",
		"LWP::Simple", "urlretrieve(", "DownloadString(", "HTTP.get(", "httpx.get(", "urllib2.urlopen(", "http.Get(",
		"axios.get(",
		"axios(", `request("http`, "request('http", "include'http", `include"http`, "getstore(", "import('http", `import("http`,
		"socket.http", "HTTP::Tiny->new->get", `get"http`, "get'http", `get("http`, "get('http"}
	connections = []string{"socket.socket(", "socket(S,", "socket(SOCKET", "Socket::INET", "IO::Socket", "TCPSocket",
		"fsockopen(", "net.connect(", "net.Socket(", "net.createConnection", "createServer(", "socket.tcp(",
		"/inet/tcp/", "socket.create_connection(", "java.net.Socket", "TCPClient", "stream_socket_client(", "usesocket",
		`require("socket")`, `require('socket')`, "require('net')", `require("net")`, "socket.connect(", "net.Dial("}
	starters = []string{"pty.spawn", "os.dup2", "/bin/sh", "/bin/bash", "subprocess.", "exec(", "child_process", "popen(",
		"system(", "os.execute", "cmd.exe", "|&getline", "shell_exec", "proc_open", "Runtime.getRuntime", "IO.popen",
		"spawn(", "exec.Command(", "system$", "->fdopen("}
)

// senders are names of functions that send something over the network.
var senders = []string{"urlopen(", "requests.post(", "requests.put(", "requests.get(", "http.client", "httpx.post(",
	"httpx.put(",
	"fetch(", "axios.post(", "http.request(", "https.request(", "Net::HTTP.post", "HTTP::Tiny", "LWP::UserAgent",
	"curl_exec(",
	"file_get_contents('http", `file_get_contents("http`, "socket.socket(", "create_connection(", "fsockopen(", "TCPSocket",
	"smtplib", "ftplib", "paramiko", "storbinary(", "sendall(", "Net::FTP", "net.connect(", "boto3", "urlretrieve(",
	"http.post(",
	"UploadFile(", "UploadString(", "http.Post(", "https').get(", `https").get(`, "http').get(", `http").get(`, "https.get(", "http.get(",
	"Net::HTTP.get", "open-uri", "urllib2", "httpx.get("}

// foreignSecrets looks for files with secrets among the constants of a program text that sends something.
func (a *assessor) foreignSecrets(code string) {
	for _, o := range owners {
		i := strings.Index(code, o.name)
		if i > 0 && anyIn(code[max(0, i-24):i], []string{"environ", "getenv", "process.env", "ENV["}) &&
			!ownedBy(o.hosts, code) {
			a.hit("network.exfiltrate")
			return
		}
	}
	for len(code) > 0 {
		i := strings.IndexAny(code, "'\"`")
		if i < 0 {
			return
		}
		end := strings.IndexByte(code[i+1:], code[i])
		if end < 0 {
			return
		}
		text := code[i+1 : i+1+end]
		code = code[i+end+2:]
		if len(text) < 4 || len(text) > 256 || strings.Contains(text, "://") || strings.IndexByte("/~.", text[0]) < 0 {
			continue
		}
		if text[0] == '/' && strings.HasPrefix(text, "/.") {
			text = "~" + text
		}
		if secrecy(text, "") >= secret || hashes(text, "") {
			a.hit("network.exfiltrate")
			return
		}
	}
}

// anyIn reports whether the text holds one of the parts.
func anyIn(text string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// removers are names of functions that delete, whole folders or (single) one file.
var removers = []struct {
	name   string
	single bool
}{
	{"rmtree(", false}, {"rmtree ", false}, {"rm_rf(", false}, {"rm_rf ", false}, {"rm_r(", false}, {"rm_r ", false},
	{"rmSync(", false}, {"rmdirSync(", false}, {"removeSync(", false}, {"remove_tree(", false}, {"rimraf(", false},
	{"rimraf.sync(", false}, {"fs.rm(", false}, {"fs.rmdir(", false}, {"deltree(", false}, {"os.removedirs(", false},
	{"os.RemoveAll(", false}, {"delete-directory ", false}, {"file delete -force ", false}, {"Deno.removeSync(", false},
	{"Deno.remove(", false}, {"FileUtils.rm_rf ", false}, {"remove_dir_all(", false}, {"deleteDirectory(", false}, {"deleteDir(", false},
	{"shutil.rmtree ", false}, {"rm.sync(", false}, {"Directory.Delete(", false}, {"FileUtils.remove_dir ", false}, {"unlink_tree", false}, {"unlinkSync(", true}, {"os.remove(", true}, {"os.unlink(", true}, {"unlink glob", true}, {"unlink $", true},
	{"unlink(", true}, {"File.delete(", true},
}

func (a *assessor) foreignRemovals(code string) {
	for _, f := range removers {
		for at := 0; ; {
			i := strings.Index(code[at:], f.name)
			if i < 0 {
				break
			}
			start := at + i
			at = start + len(f.name)
			if start > 0 && isWordByte(code[start-1]) {
				continue // the end of another name
			}
			if quotedAt(code, start) && !anyIn(code, []string{"exec", "eval", "system", "popen", "subprocess", "spawn", "run", "compile"}) {
				continue // text that is printed or compared
			}
			a.foreignRemoval(code[at:], f.single)
			a.foreignTargets(code)
		}
	}
	if anyIn(code, []string{`"unlink"`, `'unlink'`}) { // as a value: array_map("unlink", …)
		a.foreignTargets(code)
	}
}

// foreignTargets judges the constant paths of a program text that deletes something.
func (a *assessor) foreignTargets(code string) {
	for len(code) > 0 {
		i := strings.IndexAny(code, "'\"`")
		if i < 0 {
			return
		}
		end := strings.IndexByte(code[i+1:], code[i])
		if end < 0 {
			return
		}
		text, before := code[i+1:i+1+end], code[max(0, i-12):i]
		code = code[i+end+2:]
		if text == "" || text[0] != '/' && text[0] != '~' {
			continue
		}
		if text == "/" && strings.HasPrefix(code, ")") && !anyIn(before, walkers) && !strings.HasPrefix(before[max(0, len(before)-2):], "},") {
			continue // a lone slash is more often a separator
		}
		w := shellparse.Word{Text: text}
		if p := placeOf(w, ""); p >= placeHome || p == placeVital && text[0] == '/' {
			a.hit("code.foreign-destroy")
			return
		}
	}
}

// walkers are parts of the names of calls that are given the folder in which a search begins.
var walkers = []string{"walk(", "Path(", "path(", "listdir(", "scandir(", "opendir(", "readdir", "find(", "finddepth(", "File(", "Dir(",
	"entries(", "children(", "glob("}

func isWordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// homes are how languages name the home folder.
var homes = []string{"os.environ['HOME']", `os.environ["HOME"]`, "Path.home()", "process.env.HOME", "os.homedir()",
	"Dir.home", "ENV['HOME']", `ENV["HOME"]`, "$ENV{HOME}"}

// foreignRemoval judges the path at the start of an argument list.
func (a *assessor) foreignRemoval(args string, single bool) {
	args = strings.TrimLeft(args, " ([qwb")
	for _, p := range [...]string{"os.path.expanduser(", "path.expanduser(", "Path(", "glob(", "Dir.glob(", "Dir["} {
		args = strings.TrimPrefix(args, p)
	}
	w := shellparse.Word{Text: "$x", Open: true, Guarded: true}
	if args != "" && strings.IndexByte("'\"`", args[0]) >= 0 {
		if end := strings.IndexByte(args[1:], args[0]); end >= 0 {
			w = shellparse.Word{Text: args[1 : 1+end]}
		}
	}
	for _, h := range homes {
		if strings.HasPrefix(args, h) {
			w = shellparse.Word{Text: "~"}
		}
	}
	switch p := placeOf(w, a.at.Dir); {
	case p >= placeHome, p == placeVital && w.Text[0] != '~':
		a.hit("code.foreign-destroy")
	case single || p == placeDisposed:
		a.hit("file.remove")
	default:
		a.hit("code.foreign-remove")
	}
}

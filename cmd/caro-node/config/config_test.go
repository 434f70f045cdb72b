package config

import (
	"cmp"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/pflag"

	"github.com/caro-mesh/caro-node/policy"
)

const someNode = "caro:ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

func load(t *testing.T, text string, flags *pflag.FlagSet) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, flags)
}

func TestMissingFileMeansDefaults(t *testing.T) {
	got, err := Load(filepath.Join(t.TempDir(), "none.toml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got.Policy.Origins = nil
	if want := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestExampleFileIsValidAndStatesTheDefaults(t *testing.T) {
	got, err := Load("../../../config.example.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	got.Source, got.Policy.Source, got.Policy.Origins = "", "", nil
	// An empty list that is written is a list; one that is not is nil.
	got.Network.StaticPeers, got.Observer.Ignore = nil, nil
	got.Policy.AllowedCategories, got.Policy.DeniedCategories, got.Policy.QueryTypes = nil, nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example file says %+v\nthe defaults are %+v", got, want)
	}
}

func TestNodeIDsKeepTheirCaseAndRulesKnowTheirLine(t *testing.T) {
	c, err := load(t, `[network]
static_peers = ["/ip4/10.0.0.5/tcp/9238/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"]

[policy]
max_level = "aggregated"

[[policy.nodes]]
id = "`+someNode+`"
trust = "peer"
name = "Bob"

[[policy.subnets]]
cidr = "10.0.1.0/24"
trust = "share_to"
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := c.Policy.Nodes[0]; n.ID != someNode || n.Name != "Bob" || n.Line != 7 {
		t.Errorf("node rule is %+v, want the ID as written and line 7", n)
	}
	if s := c.Policy.Subnets[0]; s.Line != 12 {
		t.Errorf("subnet rule stands on line %d, want 12", s.Line)
	}
	if o := c.Policy.Origins["max_level"]; o.Line != 5 {
		t.Errorf("max_level stands on line %d, want 5", o.Line)
	}
	if o := c.Policy.Origins["default_trust"]; o.Source != "default" {
		t.Errorf("default_trust comes from %q, want the default", o.Source)
	}
	if want := "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"; !strings.HasSuffix(c.Network.StaticPeers[0], want) {
		t.Errorf("peer address became %q", c.Network.StaticPeers[0])
	}
}

func TestFaultsAreOneSentenceWithTheirLine(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"misspelt key":        {"[network]\nmdns = false\nlisten_on = []\n", `:3: unknown key "network.listen_on"`},
		"suggestion":          {"[policy]\nmax_levl = \"raw\"\n", `:2: unknown key "policy.max_levl" (did you mean "policy.max_level"?)`},
		"unknown table":       {"\n[polisy]\nmax_level = \"raw\"\n", `unknown key "polisy`},
		"wrong type":          {"[network]\nmdns = \"yes\"\n", ":2: network.mdns must be true or false"},
		"broken syntax":       {"[network\n", ":1: "},
		"unknown trust level": {"[[policy.nodes]]\nid = \"" + someNode + "\"\ntrust = \"freind\"\n", `freind`},
		"bad node ID":         {"\n\n[[policy.nodes]]\nid = \"bob\"\ntrust = \"peer\"\n", `3`},
		"public API":          {"[api]\nlisten = \"0.0.0.0:9237\"\n", "not a loopback address"},
		"bad peer address":    {"[network]\nstatic_peers = [\"10.0.0.5:9238\"]\n", `network.static_peers: address "10.0.0.5:9238" cannot be read`},
		"bad log level":       {"[log]\nlevel = \"loud\"\n", `config.toml:2: log.level: unknown value "loud" (use "debug", "info", "warn" or "error")`},
		"text for a list":     {"[network]\nlisten = \"x\"\n", `config.toml:2: network.listen must be a list of texts, such as ["one", "two"]`},
		"number in a list":    {"[network]\nlisten = [3]\n", `config.toml:2: network.listen must be a list of texts`},
		"text for a number":   {"[storage]\nevents_days = \"x\"\n", `config.toml:2: storage.events_days must be a whole number`},
		"number for a table":  {"node = 3\n", `config.toml:1: node must be a table`},
		"number for tables":   {"[policy]\nnodes = 3\n", `config.toml:2: policy.nodes must be tables`},
		"number for a name":   {"[[policy.nodes]]\nname = 3\n", `config.toml:2: policy.nodes.name must be text`},
		"line of api.listen":  {"\n[api]\nlisten = \"0.0.0.0:1\"\n", `config.toml:3: api.listen: `},
		"line in inline":      {"\napi = {listen = \"0.0.0.0:1\"}\n", `config.toml:2: api.listen: `},
		"line of a dotted":    {"\napi.listen = \"0.0.0.0:1\"\n", `config.toml:2: api.listen: `},
		"line of listen":      {"[network]\nlisten = [\"x\"]\n", `config.toml:2: network.listen: `},
		"line of name":        {"[node]\nname = \"a\\u0001\"\n", `config.toml:2: node.name contains`},
		"line of guard":       {"[observer]\nguard = \"loud\"\n", `config.toml:2: observer.guard: `},
		"line of ignore":      {"[observer]\nignore = [\" \"]\n", `config.toml:2: observer.ignore: `},
		"path of the policy":  {"[policy]\nmax_level = \"x\"\n", `/config.toml:2: max_level: `},
		"unknown query type":  {"[policy]\nquery_types = [\"commands\"]\n", `config.toml:2: query_types: `},
		"no queries":          {"[policy]\nqueries_per_hour = 0\n", `config.toml:2: queries_per_hour is 0`},
		"limit of a node":     {"[[policy.nodes]]\nid = \"" + someNode + "\"\ntrust = \"peer\"\nmax_history_days = -1\n", `config.toml:1: `},
		"days below one":      {"[storage]\nevents_days = 0\n", "storage.events_days: 0"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.text, nil)
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("says %q, want it to contain %q", err, c.want)
			}
			if strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestFlagsBeatTheEnvironmentWhichBeatsTheFile(t *testing.T) {
	const text = "[network]\nmdns = false\nlisten = [\"/ip4/10.0.0.1/tcp/1\"]\n[node]\nname = \"file\"\n[log]\nlevel = \"error\"\n"
	t.Setenv("CARO_NODE_NAME", "environment")
	t.Setenv("CARO_NETWORK_LISTEN", "/ip4/10.0.0.2/tcp/2, /ip4/10.0.0.3/tcp/3")
	t.Setenv("CARO_LOG_LEVEL", "warn")
	t.Setenv("CARO_POLICY_MAX_LEVEL", "raw")
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse([]string{"--log-level", "debug", "--policy-default-trust=peer"}); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, text, flags)
	if err != nil {
		t.Fatal(err)
	}
	if c.Node.Name != "environment" || c.Log.Level != "debug" || c.Policy.MaxLevel != "raw" || c.Policy.DefaultTrust != "peer" {
		t.Errorf("name %q, level %q, cap %q, trust %q", c.Node.Name, c.Log.Level, c.Policy.MaxLevel, c.Policy.DefaultTrust)
	}
	if want := []string{"/ip4/10.0.0.2/tcp/2", "/ip4/10.0.0.3/tcp/3"}; !slices.Equal(c.Network.Listen, want) {
		t.Errorf("listens on %q, want %q", c.Network.Listen, want)
	}
	if o := c.Policy.Origins["max_level"].Source; o != "environment variable CARO_POLICY_MAX_LEVEL" {
		t.Errorf("max_level comes from %q", o)
	}
	if o := c.Policy.Origins["default_trust"].Source; o != "flag --policy-default-trust" {
		t.Errorf("default_trust comes from %q", o)
	}
}

func TestACheckIsAboutTheFileAlone(t *testing.T) {
	t.Setenv("CARO_POLICY_MAX_LEVEL", "all")
	t.Setenv("CARO_POLICY_MAX_LEVL", "raw")
	if got := Check("x.toml", []byte("[log]\nlevel = \"debug\"\n")); len(got) > 0 {
		t.Errorf("faults of the environment are told as the file's: %+v", got)
	}
}

func TestACheckNamesTheLineOfEveryFinding(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		kind policy.FindingKind
		line int
		want string
	}{
		"unknown key":      {"[policy]\nmax_levl = \"raw\"\n", policy.FindingFault, 2, `unknown key "policy.max_levl"`},
		"syntax":           {"[policy\n", policy.FindingFault, 1, ""},
		"wrong type":       {"[policy]\nmax_level = 3\n", policy.FindingFault, 2, "policy.max_level must be text"},
		"a value":          {"[policy]\n\nmax_level = \"all\"\n", policy.FindingFault, 3, `"all"`},
		"another section":  {"[log]\nlevel = \"loud\"\n", policy.FindingFault, 2, "log.level"},
		"a failing test":   {"[[policy.tests]]\npeer = \"any\"\nrequest = \"connect\"\nexpect = \"allow\"\n", policy.FindingFault, 1, "default_trust"},
		"a contradiction":  {"[[policy.nodes]]\nid = \"" + someNode + "\"\ntrust = \"peer\"\ndeny = true\n", policy.FindingContradiction, 1, "deny = true"},
		"a second of many": {"[policy]\nmax_level = \"all\"\ndefault_trust = \"all\"\n", policy.FindingFault, 3, "default_trust"},
	} {
		got := Check("/a/x.toml", []byte(c.text))
		i := slices.IndexFunc(got, func(f policy.Finding) bool { return f.Line == c.line })
		if i < 0 || got[i].Kind != c.kind || got[i].Source != "/a/x.toml" || !strings.Contains(got[i].Text, c.want) || strings.Contains(got[i].Text, "x.toml:") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestACheckTellsFaultsInTheOrderOfTheFile(t *testing.T) {
	got := Check("x.toml", []byte("[policy]\nmax_history_days = -1\nquery_types = [\"x\"]\nmax_level = \"all\"\ndefault_trust = \"all\"\n[[policy.nodes]]\nid = \"x\"\ntrust = \"peer\"\n"))
	if len(got) != 5 || !slices.IsSortedFunc(got, func(a, b policy.Finding) int { return cmp.Compare(a.Line, b.Line) }) {
		t.Errorf("%+v", got)
	}
}

func TestMalformedEnvironmentIsAnError(t *testing.T) {
	t.Setenv("CARO_NETWORK_MDNS", "maybe")
	if _, err := load(t, "", nil); err == nil || !strings.Contains(err.Error(), "CARO_NETWORK_MDNS") {
		t.Errorf("got %v, want an error that names the variable", err)
	}
}

func TestFaultOfTheEnvironmentIsOneLineThatNamesTheVariable(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"CARO_STORAGE_EVENTS_DAYS", "-3", "environment variable CARO_STORAGE_EVENTS_DAYS: storage.events_days: -3 is not between"},
		{"CARO_STORAGE_EVENTS_DAYS", "99999999999999999999", `CARO_STORAGE_EVENTS_DAYS: "99999999999999999999" is not a whole number`},
		{"CARO_LOG_LEVEL", "loud", "environment variable CARO_LOG_LEVEL: log.level: unknown value"},
		{"CARO_POLICY_MAX_LEVEL", "all", "environment variable CARO_POLICY_MAX_LEVEL: max_level: "},
		{"CARO_POLICY_MAX_LEVL", "raw", "unknown environment variable CARO_POLICY_MAX_LEVL (did you mean CARO_POLICY_MAX_LEVEL?)"},
		{"CARO_POLCY_MAX_LEVEL", "raw", "unknown environment variable CARO_POLCY_MAX_LEVEL (did you mean CARO_POLICY_MAX_LEVEL?)"},
		{"CARO_POLICY_EVERYTHING_STAYS", "yes", "unknown environment variable CARO_POLICY_EVERYTHING_STAYS"},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			_, err := load(t, "", nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("says %q, want one line with %q", err, c.want)
			}
		})
	}
}

func TestVariablesOfOtherProgramsAreLeftAlone(t *testing.T) {
	t.Setenv("CARO_MODEL", "small")
	t.Setenv("CARO_TEST_BIN", "/usr/bin/caro-node")
	t.Setenv("CARO_POLICY_MAX_LEVL", "") // empty is unset
	if _, err := load(t, "", nil); err != nil {
		t.Error(err)
	}
}

func TestEveryScalarHasAFlag(t *testing.T) {
	flags := pflag.NewFlagSet("run", pflag.ContinueOnError)
	AddFlags(flags)
	for _, key := range fileKeys(reflect.TypeFor[file](), "") {
		section := strings.Count(key, ".") == 0
		if section || strings.HasPrefix(key, "policy.nodes") || strings.HasPrefix(key, "policy.subnets") || strings.HasPrefix(key, "policy.tests") || key == "observer.guard" {
			continue
		}
		if flags.Lookup(strings.NewReplacer(".", "-", "_", "-").Replace(key)) == nil {
			t.Errorf("%s has no flag", key)
		}
	}
}

func TestKnownKeysAreTheKeysOfTheFile(t *testing.T) {
	got := slices.Sorted(slices.Values(fileKeys(reflect.TypeFor[file](), "")))
	want := slices.Sorted(slices.Values(knownKeys))
	if !slices.Equal(got, want) {
		t.Errorf("the file has the keys\n%q\nknown are\n%q", got, want)
	}
}

// fileKeys lists the TOML keys of a struct, tables included.
func fileKeys(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("toml")
		if tag == "-" || tag == "" {
			continue
		}
		keys = append(keys, prefix+tag)
		elem := f.Type
		if elem.Kind() == reflect.Slice {
			elem = elem.Elem()
		}
		if elem.Kind() == reflect.Struct {
			keys = append(keys, fileKeys(elem, prefix+tag+".")...)
		}
	}
	return keys
}

func TestPathsFollowTheEnvironment(t *testing.T) {
	run := t.TempDir()
	env := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	cases := []struct {
		name           string
		env            map[string]string
		db, sock, conf string
		run            string // empty: with the data
	}{
		{"one folder", map[string]string{"CARO_HOME": "/c", "XDG_DATA_HOME": "/x"}, "/c/caro.db", "/c/api.sock", "/c/config.toml", ""},
		{"XDG", map[string]string{"HOME": "/h", "XDG_DATA_HOME": "/d", "XDG_CONFIG_HOME": "/f", "XDG_RUNTIME_DIR": run},
			"/d/caro/caro.db", "/d/caro/api.sock", "/f/caro/config.toml", run + "/caro"},
		{"defaults", map[string]string{"HOME": "/h"}, "/h/.local/share/caro/caro.db", "/h/.local/share/caro/api.sock", "/h/.config/caro/config.toml", ""},
		{"relative XDG is ignored", map[string]string{"HOME": "/h", "XDG_DATA_HOME": "rel"}, "/h/.local/share/caro/caro.db", "/h/.local/share/caro/api.sock", "/h/.config/caro/config.toml", ""},
		{"runtime folder that is gone", map[string]string{"HOME": "/h", "XDG_RUNTIME_DIR": "/nonexistent/run"}, "/h/.local/share/caro/caro.db", "/h/.local/share/caro/api.sock", "/h/.config/caro/config.toml", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, err := FindPaths(env(c.env))
			if err != nil {
				t.Fatal(err)
			}
			if c.run == "" {
				c.run = p.Data
			}
			if p.Run != c.run {
				t.Errorf("the socket goes to %s, want %s", p.Run, c.run)
			}
			if p.DB != c.db || p.Socket != c.sock || p.Config != c.conf {
				t.Errorf("got %s, %s, %s", p.DB, p.Socket, p.Config)
			}
		})
	}
	if os.Geteuid() != 0 {
		if p, err := FindPaths(env(map[string]string{"HOME": "/h", "XDG_RUNTIME_DIR": "/"})); err != nil || p.Run != p.Data {
			t.Errorf("the socket goes into another user's folder %s (%v)", p.Run, err)
		}
	}
	if _, err := FindPaths(env(nil)); err == nil {
		t.Error("found places without HOME")
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("[policy]\nmax_level = \"raw\"\n[[policy.nodes]]\nid = \"x\"\n"))
	f.Add([]byte("[network]\nlisten = [\"a\",\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := parseFile("config.toml", data)
		var plain map[string]any
		if err == nil && toml.Unmarshal(data, &plain) != nil {
			t.Errorf("accepted %+v, which is not TOML", parsed)
		}
	})
}

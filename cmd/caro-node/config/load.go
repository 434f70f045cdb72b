package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/caro-mesh/caro-node/policy"
)

// Load reads path (a missing file means defaults), the environment and flags, and validates the result. Flags are
// looked up by their key with dots as dashes ("network-mdns"), so that only flags which exist count; flags may be nil.
func Load(path string, flags *pflag.FlagSet) (Config, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Parse("", nil, flags)
	case err != nil:
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, data, flags)
}

// Parse is [Load] for a file that was read already, whatever is at path now.
func Parse(path string, data []byte, flags *pflag.FlagSet) (Config, error) {
	return assemble(path, data, settings{flags: flags, environment: true})
}

// Check reports what is wrong with a file by itself: every fault, and what is hardly meant in its policy. The environment
// and flags do not count.
func Check(path string, data []byte) []policy.Finding {
	c, err := assemble(path, data, settings{})
	if err != nil {
		list := findings(path, err)
		slices.SortStableFunc(list, func(a, b policy.Finding) int { return cmp.Compare(a.Line, b.Line) })
		return list
	}
	found := c.Policy.Lint()
	for i := range found {
		if found[i].Source == c.Policy.Source {
			found[i].Source = path
		}
	}
	return found
}

func findings(path string, err error) []policy.Finding {
	var out []policy.Finding
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			out = append(out, findings(path, e)...)
		}
		return out
	}
	f := policy.Finding{Kind: policy.FindingFault, Source: path, Text: err.Error()}
	var fault *policy.DocumentError
	if errors.As(err, &fault) {
		f.Source, f.Line, f.Text = fault.Source, fault.Line, fault.Err.Error()
	}
	return []policy.Finding{f}
}

func assemble(path string, data []byte, over settings) (Config, error) {
	f, err := parseFile(path, data)
	if err != nil {
		return Config{}, err
	}
	v, err := newViper(data, over)
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Source: path,
		Node:   Node{Name: v.GetString("node.name")},
		Network: Network{Listen: v.list("network.listen", f.Network.Listen), StaticPeers: v.list("network.static_peers", f.Network.StaticPeers),
			MDNS: v.GetBool("network.mdns"), AllowPublic: v.GetBool("network.allow_public")},
		API:      API{Listen: v.GetString("api.listen")},
		Observer: Observer{Ignore: v.list("observer.ignore", f.Observer.Ignore), Redact: v.GetBool("observer.redact"), Guard: v.GetString("observer.guard")},
		Policy:   f.Policy,
		Storage: Storage{EventsDays: v.GetInt("storage.events_days"), SummariesDays: v.GetInt("storage.summaries_days"),
			AuditDays: v.GetInt("storage.audit_days")},
		Log: Log{Level: v.GetString("log.level"), Format: v.GetString("log.format")},
	}
	c.Policy.MaxLevel = v.GetString("policy.max_level")
	c.Policy.DefaultTrust = v.GetString("policy.default_trust")
	c.Policy.MinContributors = v.GetInt("policy.min_contributors")
	c.Policy.ShareEventCount = v.GetBool("policy.share_event_count")
	c.Policy.MaxHistoryDays = v.GetInt("policy.max_history_days")
	c.Policy.QueriesPerHour = v.GetInt("policy.queries_per_hour")
	c.Policy.QueryTypes = v.list("policy.query_types", f.Policy.QueryTypes)
	c.Policy.AllowedCategories = v.list("policy.allowed_categories", f.Policy.AllowedCategories)
	c.Policy.DeniedCategories = v.list("policy.denied_categories", f.Policy.DeniedCategories)
	v.noteOverrides(&c.Policy)
	if v.err != nil { // what it would have set is not known, so the rest cannot be judged
		return c, v.err
	}
	return c, c.validate(func(key string) policy.Origin { return v.place(key, path, f.lines) })
}

// settings is viper with what it lacks for us: where a value came from, and lists that keep their case and order.
type settings struct {
	*viper.Viper
	flags       *pflag.FlagSet
	environment bool  // CARO_* variables count
	err         error // malformed environment values
}

func (s *settings) getenv(name string) string {
	if !s.environment {
		return ""
	}
	return os.Getenv(name)
}

func newViper(data []byte, over settings) (*settings, error) {
	v := viper.New()
	v.SetConfigType("toml")
	if over.environment {
		v.SetEnvPrefix(envPrefix)
		v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
		v.AutomaticEnv()
	}
	d := Default()
	defaults := map[string]any{
		"node.name": d.Node.Name, "network.listen": d.Network.Listen, "network.static_peers": d.Network.StaticPeers,
		"network.mdns": d.Network.MDNS, "network.allow_public": d.Network.AllowPublic, "api.listen": d.API.Listen,
		"observer.ignore": d.Observer.Ignore, "observer.redact": d.Observer.Redact, "observer.guard": d.Observer.Guard,
		"policy.max_level": d.Policy.MaxLevel, "policy.default_trust": d.Policy.DefaultTrust,
		"policy.min_contributors": d.Policy.MinContributors, "policy.share_event_count": d.Policy.ShareEventCount, "policy.allowed_categories": d.Policy.AllowedCategories,
		"policy.query_types": d.Policy.QueryTypes, "policy.max_history_days": d.Policy.MaxHistoryDays, "policy.queries_per_hour": d.Policy.QueriesPerHour,
		"policy.denied_categories": d.Policy.DeniedCategories, "storage.events_days": d.Storage.EventsDays,
		"storage.summaries_days": d.Storage.SummariesDays, "storage.audit_days": d.Storage.AuditDays,
		"log.level": d.Log.Level, "log.format": d.Log.Format,
	}
	s := &settings{Viper: v, flags: over.flags, environment: over.environment}
	for key, value := range defaults {
		v.SetDefault(key, value)
		if f := s.flag(key); f != nil {
			if err := v.BindPFlag(key, f); err != nil {
				return nil, fmt.Errorf("bind flag --%s: %w", f.Name, err)
			}
		}
		s.checkEnv(key, value)
	}
	s.err = errors.Join(s.err, checkEnvNames(slices.Collect(maps.Keys(defaults)), s.getenv))
	if err := v.ReadConfig(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return s, nil
}

func (s *settings) flag(key string) *pflag.Flag {
	if s.flags == nil {
		return nil
	}
	return s.flags.Lookup(strings.NewReplacer(".", "-", "_", "-").Replace(key))
}

// checkEnv refuses what viper would silently read as false or 0.
func (s *settings) checkEnv(key string, value any) {
	name := envName(key)
	text := s.getenv(name)
	if text == "" {
		return
	}
	switch value.(type) {
	case bool:
		if !slices.Contains([]string{"true", "false", "1", "0", "t", "f"}, strings.ToLower(text)) {
			s.err = errors.Join(s.err, fmt.Errorf("%s: %q is not true or false", name, text))
		}
	case int:
		if _, err := strconv.Atoi(text); err != nil {
			s.err = errors.Join(s.err, fmt.Errorf("%s: %q is not a whole number that makes sense here", name, text))
		}
	}
}

// list returns the flag's or environment's comma-separated list, else the file's, else the default.
func (s *settings) list(key string, fromFile []string) []string {
	if f := s.flag(key); f != nil && f.Changed {
		return s.GetStringSlice(key)
	}
	if text := s.getenv(envName(key)); text != "" {
		var out []string
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
		return out
	}
	if s.InConfig(key) {
		return fromFile
	}
	def := Default()
	if key == "network.listen" {
		return def.Network.Listen
	}
	return nil
}

// noteOverrides records that a policy scalar came from the environment or a flag, for decisions that name their rule.
func (s *settings) noteOverrides(doc *policy.Document) {
	if doc.Origins == nil {
		doc.Origins = make(map[string]policy.Origin)
	}
	for _, key := range []string{"max_level", "default_trust", "min_contributors", "share_event_count", "query_types", "max_history_days", "queries_per_hour",
		"allowed_categories", "denied_categories"} {
		full := "policy." + key
		if o := s.override(full); o != "" {
			doc.Origins[key] = policy.Origin{Source: o}
		} else if !s.InConfig(full) {
			doc.Origins[key] = policy.Origin{Source: "default"}
		}
	}
}

// override names the flag or variable that sets key, or returns "".
func (s *settings) override(key string) string {
	if f := s.flag(key); f != nil && f.Changed {
		return "flag --" + f.Name
	}
	if s.getenv(envName(key)) != "" {
		return "environment variable " + envName(key)
	}
	return ""
}

// place says where the value of key was given; nowhere for a default.
func (s *settings) place(key, path string, lines map[string]int) policy.Origin {
	if o := s.override(key); o != "" {
		return policy.Origin{Source: o}
	}
	if line := lines[key]; line > 0 {
		return policy.Origin{Source: path, Line: line}
	}
	return policy.Origin{}
}

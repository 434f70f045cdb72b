package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// envPrefix starts the name of every environment variable: CARO_NETWORK_MDNS sets network.mdns.
const envPrefix = "CARO"

// otherEnv are names of this project that are no settings: the folder of everything, and the line that the guard has judged.
var otherEnv = []string{"CARO_HOME", "CARO_NODE_LINE", "CARO_NODE_ALIASES"}

func envName(key string) string {
	return envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// checkEnvNames refuses variables that are meant as settings and are none: a misspelt CARO_POLICY_MAX_LEVEL would
// otherwise leave more open than the person believes. Names that resemble no setting belong to other programs.
func checkEnvNames(keys []string, getenv func(string) string) error {
	var known, sections []string
	for _, k := range keys {
		known = append(known, envName(k))
		section, _, _ := strings.Cut(k, ".")
		sections = append(sections, envName(section)+"_")
	}
	var errs []error
	for _, assignment := range os.Environ() {
		name, _, _ := strings.Cut(assignment, "=")
		if getenv(name) == "" || !strings.HasPrefix(name, envPrefix+"_") || slices.Contains(known, name) || slices.Contains(otherEnv, name) {
			continue
		}
		near := nearest(name, known)
		ours := slices.ContainsFunc(sections, func(s string) bool { return strings.HasPrefix(name, s) })
		switch {
		case near != "":
			errs = append(errs, fmt.Errorf("unknown environment variable %s (did you mean %s?)", name, near))
		case ours:
			errs = append(errs, fmt.Errorf("unknown environment variable %s (see config.example.toml for all settings, or unset it)", name))
		}
	}
	return errors.Join(errs...)
}

package main

import (
	"strings"
	"testing"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func TestTheHistoryShowsTheKindOfEveryReplacedSecret(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		command string
		kinds   []string
		want    string
	}{
		{"mysql -pREDACTED:password", []string{"password"}, "mysql -pREDACTED:password"},
		{"ls", nil, "ls"},
		{"curl " + long + " -H REDACTED:jwt", []string{"jwt"}, "curl " + strings.Repeat("x", 37) + "…  [replaced: jwt]"},
		{"a REDACTED:jwt " + long + " REDACTED:password", []string{"github_token", "jwt", "password"},
			"a REDACTED:jwt " + strings.Repeat("x", 8) + "…  [replaced: github_token, password]"},
		{strings.Repeat("y", 25) + " REDACTED:jwt " + long, []string{"jwt", "password"}, strings.Repeat("y", 25) + " REDACT…  [replaced: jwt, password]"},
		{"ls", []string{"github_token"}, "ls  [replaced: github_token]"}, // in the folder's name
	} {
		if got := commandText(v1.Event{Command: c.command, Redactions: c.kinds}, 60); got != c.want {
			t.Errorf("%q\n shows as %q\n not as   %q", c.command, got, c.want)
		}
	}
}

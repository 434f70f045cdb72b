package bundle

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/protocol"
)

// Bundle is what an organisation says. [Open] makes one.
type Bundle struct {
	Name    string    `toml:"name"`    // of the organisation, at most protocol.MaxDisplayName bytes
	Version uint64    `toml:"version"` // from 1, rising
	Issued  time.Time `toml:"issued"`
	Expires time.Time `toml:"expires"` // after Issued

	Supervisors []Supervisor `toml:"supervisors"`
	Subnets     []Subnet     `toml:"subnets"`

	// As in [policy.Document]; what is not written caps nothing.
	MinContributors  int      `toml:"min_contributors"`
	MaxLevel         string   `toml:"max_level"`
	MaxHistoryDays   int      `toml:"max_history_days"` // days
	DeniedCategories []string `toml:"denied_categories"`

	Key ed25519.PublicKey `toml:"-"` // whose signature was verified
}

// Supervisor is a node that may ask for sums over many nodes.
type Supervisor struct {
	ID   string `toml:"id"`
	Name string `toml:"name"` // a word for people
}

// Subnet says what a node that is connected from inside CIDR is called, unless a rule names it.
type Subnet struct {
	CIDR  string `toml:"cidr"`
	Trust string `toml:"trust"`
}

// Source names the bundle in the rules that come from it.
func (b *Bundle) Source() string { return fmt.Sprintf("bundle %s v%d", b.Name, b.Version) }

// Fingerprint is that of the organisation's key.
func (b *Bundle) Fingerprint() Fingerprint { return FingerprintOf(b.Key) }

// Expired reports whether the bundle gives nothing any more.
func (b *Bundle) Expired(now time.Time) bool { return !now.Before(b.Expires) }

// ErrOtherOrganisation, ErrRollback: reasons of [Bundle.Follows].
var (
	// ErrOtherOrganisation means that the user has to take the accepted bundle back first.
	ErrOtherOrganisation = errors.New("the bundle is signed by another organisation's key")
	// ErrRollback means that the bundle is older than the accepted one, or pretends to be it.
	ErrRollback = errors.New("the bundle is not newer than the accepted one")
)

// Follows reports why a bundle may not take the place of the accepted one: nil, or an error that wraps
// [ErrOtherOrganisation] or [ErrRollback].
func (b *Bundle) Follows(accepted *Bundle) error {
	switch {
	case !b.Key.Equal(accepted.Key):
		return fmt.Errorf("%w %s, and the accepted one by %s; if that is meant, take the accepted one back first (caro-node policy forget-bundle)",
			ErrOtherOrganisation, b.Fingerprint(), accepted.Fingerprint())
	case b.Version <= accepted.Version:
		return fmt.Errorf("%w: it has version %d, and version %d was accepted; ask the organisation for a higher one", ErrRollback, b.Version, accepted.Version)
	}
	return nil
}

func parse(body []byte) (*Bundle, error) {
	var b Bundle
	dec := toml.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		return nil, explain(err)
	}
	if err := b.validate(); err != nil {
		return nil, fmt.Errorf("the bundle cannot be used: %w", err)
	}
	return &b, nil
}

func explain(err error) error {
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) && len(missing.Errors) > 0 {
		line, _ := missing.Errors[0].Position()
		return fmt.Errorf("line %d of the bundle: unknown key %q; a newer program may know it", line, strings.Join(missing.Errors[0].Key(), "."))
	}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		line, _ := de.Position()
		return fmt.Errorf("line %d of the bundle: %s", line, strings.TrimPrefix(de.Error(), "toml: "))
	}
	return fmt.Errorf("read the bundle: %w", err)
}

func (b *Bundle) validate() error {
	switch {
	case b.Name == "":
		return errors.New("name is missing")
	case b.Version == 0:
		return errors.New("version is missing; begin with 1")
	case b.Issued.IsZero() || b.Expires.IsZero():
		return errors.New("issued or expires is missing; write times such as 2026-11-01T00:00:00Z")
	case b.Issued.Location() == time.Local || b.Expires.Location() == time.Local:
		// They would mean another moment on each machine.
		return errors.New("issued and expires need a time with Z or an offset, such as 2026-11-01T00:00:00Z")
	case !b.Issued.Before(b.Expires):
		return errors.New("expires is not after issued")
	}
	if err := protocol.CheckText("name", b.Name, protocol.MaxDisplayName); err != nil {
		return err
	}
	return b.document().Validate() // the same rules as for a user's file
}

// document words the bundle as a policy.
func (b *Bundle) document() policy.Document {
	doc := policy.Document{Source: b.Source(), MaxLevel: b.MaxLevel, MinContributors: b.MinContributors, MaxHistoryDays: b.MaxHistoryDays,
		DeniedCategories: b.DeniedCategories}
	for _, s := range b.Supervisors {
		doc.Nodes = append(doc.Nodes, policy.NodeRule{ID: s.ID, Name: s.Name, Trust: protocol.TrustSupervisor.String()})
	}
	for _, s := range b.Subnets {
		doc.Subnets = append(doc.Subnets, policy.SubnetRule{CIDR: s.CIDR, Trust: s.Trust})
	}
	return doc
}

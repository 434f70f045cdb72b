package protocol

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// NodeIdentity introduces a node to another.
type NodeIdentity struct {
	NodeID       NodeID           `cbor:"1,keyasint" json:"node_id"`
	Fingerprint  Fingerprint      `cbor:"2,keyasint" json:"fingerprint"`
	DisplayName  string           `cbor:"3,keyasint,omitempty" json:"display_name,omitempty"` // at most MaxDisplayName bytes
	Capabilities NodeCapabilities `cbor:"4,keyasint" json:"capabilities"`
	CreatedAt    Timestamp        `cbor:"5,keyasint" json:"created_at"`
}

// NodeCapabilities says what a node can do and the most it would ever share.
type NodeCapabilities struct {
	ProtocolVersion  uint8       `cbor:"1,keyasint" json:"protocol_version"`
	CaroVersion      string      `cbor:"2,keyasint" json:"caro_version"`
	MaxShareLevel    DataLevel   `cbor:"3,keyasint" json:"max_share_level"`
	CanAggregate     bool        `cbor:"4,keyasint" json:"can_aggregate"`
	SupportedQueries []QueryType `cbor:"5,keyasint" json:"supported_queries"`
}

// Validate checks the fields and that the fingerprint is the node ID's.
func (n *NodeIdentity) Validate() error {
	if err := n.NodeID.Validate(); err != nil {
		return err
	}
	if n.NodeID.Fingerprint() != n.Fingerprint {
		return fmt.Errorf("fingerprint %q does not belong to node %s", string(n.Fingerprint), n.NodeID)
	}
	if err := CheckText("display name", n.DisplayName, MaxDisplayName); err != nil {
		return err
	}
	return n.Capabilities.Validate()
}

// Validate checks the fields against the vocabulary.
func (c *NodeCapabilities) Validate() error {
	if c.ProtocolVersion == 0 {
		return fmt.Errorf("protocol version 0 does not exist")
	}
	if err := CheckText("caro version", c.CaroVersion, MaxVersionText); err != nil {
		return err
	}
	if err := c.MaxShareLevel.Validate(); err != nil {
		return err
	}
	if len(c.SupportedQueries) > len(QueryTypes()) {
		return fmt.Errorf("%d supported queries, at most %d exist", len(c.SupportedQueries), len(QueryTypes()))
	}
	for i, q := range c.SupportedQueries {
		if err := q.Validate(); err != nil {
			return err
		}
		if slices.Contains(c.SupportedQueries[:i], q) {
			return fmt.Errorf("supported query %s appears twice", q)
		}
	}
	return nil
}

// CheckText accepts printable UTF-8 of at most limit bytes. Text from peers reaches terminals and logs, so control
// characters, which could forge lines or drive the terminal, are refused at the border.
func CheckText(what, s string, limit int) error {
	if len(s) > limit {
		return fmt.Errorf("%s has %d bytes, at most %d are allowed", what, len(s), limit)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not valid UTF-8", what)
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%s contains the unprintable character %U", what, r)
		}
	}
	return nil
}

package hello

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caro-mesh/caro-node/protocol"
)

// Version numbers a version of the mesh protocol, from 1 to 255.
type Version uint8

// Versions are the versions that this package speaks, rising.
func Versions() []Version { return []Version{protocol.Version} }

// message is Hello (0x0001).
type message struct {
	Identity protocol.NodeIdentity `cbor:"1,keyasint"`
	X25519   [32]byte              `cbor:"2,keyasint"`
	Versions []uint16              `cbor:"3,keyasint"` // uint16, because []uint8 would be a byte string
	// NextDigest commits the sender to its next key, Rotations lead to its current one, oldest first.
	NextDigest protocol.KeyDigest `cbor:"4,keyasint"`
	Rotations  [][]byte           `cbor:"5,keyasint"`
}

// Validate checks everything but whose identity it is.
func (m *message) Validate() error {
	if err := m.Identity.Validate(); err != nil {
		return err
	}
	if m.X25519 == ([32]byte{}) {
		return errors.New("x25519 key is zero")
	}
	if n := len(m.Versions); n == 0 || n > protocol.MaxVersions {
		return fmt.Errorf("%d versions, expected 1 to %d", n, protocol.MaxVersions)
	}
	for i, v := range m.Versions {
		if v == 0 || v > 255 || i > 0 && m.Versions[i-1] >= v {
			return fmt.Errorf("versions %v are not rising numbers from 1 to 255", m.Versions)
		}
	}
	return checkKeys(m.Identity.NodeID, m.NextDigest, m.Rotations)
}

// checkKeys checks what can be checked without a signature; [protocol.OpenRotations] does the rest.
func checkKeys(id protocol.NodeID, next protocol.KeyDigest, rotations [][]byte) error {
	if next == (protocol.KeyDigest{}) || next == protocol.DigestOf(id) {
		return errors.New("next digest is that of no other key")
	}
	if n := len(rotations); n > protocol.MaxRotations {
		return fmt.Errorf("%d rotations, at most %d are allowed", n, protocol.MaxRotations)
	}
	return nil
}

// Status says how a Hello was answered.
type Status string

// Statuses of a HelloAck.
const (
	StatusAccepted Status = "accepted"
	// StatusDenied means that the policy does not let the node connect; a person has to change that.
	StatusDenied Status = "denied"
	// StatusNoCommonVersion means that one of the two must be updated; the reason has both lists.
	StatusNoCommonVersion Status = "no_common_version"
	// StatusClockSkew means that one of the two clocks is wrong; the reason has both.
	StatusClockSkew Status = "clock_skew"
	// StatusTryLater means that the answering node could not decide now.
	StatusTryLater Status = "try_later"
)

// ack is HelloAck (0x0002).
type ack struct {
	Status   Status                 `cbor:"1,keyasint"`
	Reason   string                 `cbor:"2,keyasint,omitempty"`
	Identity *protocol.NodeIdentity `cbor:"3,keyasint,omitempty"`
	X25519   []byte                 `cbor:"4,keyasint,omitempty"`
	Version  Version                `cbor:"5,keyasint,omitempty"`
	// Pointers, because both are there exactly with an acceptance, and the list may be empty.
	NextDigest *protocol.KeyDigest `cbor:"6,keyasint,omitempty"`
	Rotations  *[][]byte           `cbor:"7,keyasint,omitempty"`
}

// Validate requires exactly the fields that belong to the status.
func (a *ack) Validate() error {
	if err := protocol.CheckText("reason", a.Reason, protocol.MaxReason); err != nil {
		return err
	}
	switch a.Status {
	case StatusAccepted:
		if a.Reason != "" || a.Identity == nil || len(a.X25519) != 32 || a.Version == 0 || a.NextDigest == nil || a.Rotations == nil {
			return errors.New("an accepting answer needs identity, x25519 key, version, next digest and rotations, and no reason")
		}
		if err := a.Identity.Validate(); err != nil {
			return err
		}
		return checkKeys(a.Identity.NodeID, *a.NextDigest, *a.Rotations)
	case StatusDenied, StatusNoCommonVersion, StatusClockSkew, StatusTryLater:
		if a.Reason == "" || a.Identity != nil || len(a.X25519) != 0 || a.Version != 0 || a.NextDigest != nil || a.Rotations != nil {
			return errors.New("a refusing answer has a reason and nothing else")
		}
		return nil
	}
	return fmt.Errorf("unknown status %q", string(a.Status))
}

// highestCommon returns the highest version in both lists, or 0. Both rise.
func highestCommon(ours []Version, theirs []uint16) Version {
	for _, v := range slices.Backward(ours) {
		if slices.Contains(theirs, uint16(v)) {
			return v
		}
	}
	return 0
}

package protocol

import "fmt"

// HealthState says in one word how a node is.
type HealthState string

// Health states.
const (
	HealthOK HealthState = "ok"
	// HealthDegraded means that the node works and a person should look at its own status for the reason.
	HealthDegraded HealthState = "degraded"
)

// Validate reports a text outside the vocabulary.
func (h HealthState) Validate() error {
	return oneOf("health state", h, HealthOK, HealthDegraded)
}

// NodeHealthStatus is what a node tells the whole mesh about itself every half minute. It is relayed, so it carries its
// own signature.
type NodeHealthStatus struct {
	NodeID NodeID `cbor:"1,keyasint" json:"node_id"`
	// Sequence rises with every status of the node, across restarts too; at least 1.
	Sequence uint64 `cbor:"2,keyasint" json:"sequence"`
	// Timestamp is when it was made and signed, by the node's clock.
	Timestamp       Timestamp `cbor:"3,keyasint" json:"timestamp"`
	ProtocolVersion uint8     `cbor:"4,keyasint" json:"protocol_version"` // at least 1
	CaroVersion     string    `cbor:"5,keyasint" json:"caro_version"`     // at most MaxVersionText bytes
	UptimeSeconds   uint64    `cbor:"6,keyasint" json:"uptime_seconds"`   // at most MaxCount
	// EventCount24h is nil unless the node's policy lets it be told; at most MaxCount.
	EventCount24h *uint64     `cbor:"7,keyasint,omitempty" json:"event_count_24h,omitempty"`
	State         HealthState `cbor:"8,keyasint" json:"status"`
	Signature     *Signature  `cbor:"-" json:"signature,omitempty"` // set by [SignHealth] and [OpenHealth]
}

// Validate checks shape and vocabulary. Whether it is fresh, and whether its node is trusted, is for the receiver to check.
func (h *NodeHealthStatus) Validate() error {
	if err := h.NodeID.Validate(); err != nil {
		return err
	}
	switch {
	case h.Sequence == 0:
		return fmt.Errorf("sequence number 0 does not exist")
	case h.ProtocolVersion == 0:
		return fmt.Errorf("protocol version 0 does not exist")
	case h.UptimeSeconds > MaxCount:
		return fmt.Errorf("uptime of %d seconds, at most %d are allowed", h.UptimeSeconds, uint64(MaxCount))
	case h.EventCount24h != nil && *h.EventCount24h > MaxCount:
		return fmt.Errorf("%d events in a day, at most %d are allowed", *h.EventCount24h, uint64(MaxCount))
	}
	if err := CheckText("caro version", h.CaroVersion, MaxVersionText); err != nil {
		return err
	}
	return h.State.Validate()
}

// SignHealth sets h.Signature and returns the bytes to send. The time of the signature is h.Timestamp.
func SignHealth(h *NodeHealthStatus, key Signer) ([]byte, error) {
	if h.NodeID != key.NodeID() {
		return nil, fmt.Errorf("health status of %s cannot be signed by %s", h.NodeID.Fingerprint(), key.NodeID().Fingerprint())
	}
	if err := h.Validate(); err != nil {
		return nil, err
	}
	wire, sig, err := signBody(contextHealth, h, key, h.Timestamp.Time())
	if err != nil {
		return nil, err
	}
	h.Signature = &sig
	return wire, nil
}

// OpenHealth decodes, validates and verifies a signed health status. Between decoding and verifying, which costs more
// than everything else together, it asks check (may be nil), so that what is not wanted costs next to nothing; an error
// of check is returned as it is. Until OpenHealth has returned, nothing that check sees is proven.
func OpenHealth(wire []byte, check func(*NodeHealthStatus) error) (*NodeHealthStatus, error) {
	var h NodeHealthStatus
	s, err := decodeSigned(wire, &h)
	if err != nil {
		return nil, err
	}
	if check != nil {
		if err := check(&h); err != nil {
			return nil, err
		}
	}
	if err := s.verify(contextHealth, h.NodeID); err != nil {
		return nil, err
	}
	if s.Signature.Timestamp != h.Timestamp {
		return nil, fmt.Errorf("%w: made at %s, signed at %s", ErrMalformed, h.Timestamp, s.Signature.Timestamp)
	}
	h.Signature = &s.Signature
	return &h, nil
}
